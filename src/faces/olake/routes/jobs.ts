import { Type, type Static } from 'typebox';
import type { JobInput, JobQuery } from '../../../sync/index.ts';
import { ActivateBody, JobBody, JobChangeBody } from '../contract.ts';
import { readId, route, type Answer, type Call, type FaceRooms, type Route } from '../route.ts';
import { Deleted, ref } from '../shapes/index.ts';
import { showJob } from '../translate.ts';

const LIST = '/api/v1/project/:projectid/jobs';
const ONE = `${LIST}/:id`;
/** The seed's way to filter: `/jobs/dest_id="7"`, quotes raw, encoded or left out. */
const FILTER = /^(dest_id|source_id)="?([^"]*)"?$/;

/** Jobs: listing and writing them. */
export function jobRoutes(rooms: FaceRooms): Route[] {
  return [...readRoutes(rooms), ...writeRoutes(rooms)];
}

function readRoutes({ sync }: FaceRooms): Route[] {
  async function list(call: Call<unknown>, filter: Omit<JobQuery, 'limit' | 'offset'>): Promise<Answer> {
    const form = call.form();
    const { items, total } = await sync.jobs.list(call.scope().project, { ...call.paging(), ...filter });
    return { message: 'jobs listed', data: items.map((job) => showJob(job, form)), total };
  }

  return [
    route({
      methods: ['GET'],
      paths: [LIST],
      role: 'viewer',
      summary: 'List the jobs; source_id and dest_id narrow the list',
      data: Type.Array(ref('Job')),
      paged: true,
      handle: (call) => list(call, filterOf(call)),
    }),
    route({
      methods: ['GET'],
      paths: [ONE],
      role: 'viewer',
      summary: 'Read a job; or the list filtered the seed\'s way, as in /jobs/dest_id="7"',
      data: Type.Union([ref('Job'), Type.Array(ref('Job'))]),
      fails: [404],
      async handle(call) {
        const odd = FILTER.exec(call.param('id'));
        if (odd) return list(call, { ...filterOf(call), ...filterBy(odd[1]!, odd[2]!) });
        const job = await sync.jobs.get(call.scope().project, call.id());
        return { message: 'job found', data: showJob(job, call.form()) };
      },
    }),
  ];
}

function writeRoutes({ sync }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: [LIST],
      role: 'editor',
      summary: 'Create a job, with its source and destination where they do not exist',
      data: ref('JobEcho'),
      fails: [409],
      body: JobBody,
      async handle(call) {
        const id = await sync.jobs.create(call.scope(), inputOf(call.body));
        return { message: `job ${call.body.name} created successfully`, data: { ...call.sent, id } };
      },
    }),
    route({
      methods: ['PUT'],
      paths: [ONE],
      role: 'editor',
      summary: 'Replace a job; streams of difference_streams are cleared',
      data: ref('JobEcho'),
      fails: [404, 409],
      body: JobChangeBody,
      async handle(call) {
        const id = call.id();
        await sync.jobs.update(call.scope(), id, {
          ...inputOf(call.body),
          differenceStreams: call.body.difference_streams,
        });
        return { message: `job ${call.body.name} updated successfully`, data: { ...call.sent, id } };
      },
    }),
    route({
      methods: ['DELETE'],
      paths: [ONE],
      role: 'editor',
      summary: 'Delete a job; source, destination and written data stay',
      data: Deleted,
      fails: [404, 409],
      async handle(call) {
        const name = await sync.jobs.remove(call.scope(), call.id());
        return { message: 'job deleted successfully', data: { name } };
      },
    }),
    route({
      methods: ['POST'],
      paths: [`${ONE}/activate`],
      role: 'editor',
      summary: 'Put a job on its schedule, or take it off',
      data: Type.Object({ activate: Type.Boolean() }),
      fails: [404],
      body: ActivateBody,
      async handle(call) {
        const { activate } = call.body;
        await sync.jobs.setActive(call.scope(), call.id(), activate);
        return { message: `job ${activate ? 'activated' : 'deactivated'} successfully`, data: { activate } };
      },
    }),
  ];
}

function filterOf(call: Call<unknown>): Omit<JobQuery, 'limit' | 'offset'> {
  return {
    ...filterBy('source_id', call.query('source_id')),
    ...filterBy('dest_id', call.query('dest_id') ?? call.query('destination_id')),
  };
}

function filterBy(name: string, text: string | undefined): Omit<JobQuery, 'limit' | 'offset'> {
  if (text === undefined || text === '') return {};
  const id = readId(text, name);
  return name === 'source_id' ? { sourceId: id } : { destinationId: id };
}

function inputOf(body: Static<typeof JobBody>): JobInput {
  return {
    name: body.name,
    source: endOf(body.source),
    destination: endOf(body.destination),
    frequency: body.frequency,
    streams: body.streams_config,
    advanced: body.advanced_settings,
    ...(body.activate !== undefined && { active: body.activate }),
  };
}

/** A null id means the same as none. */
function endOf({ id, ...end }: Static<typeof JobBody>['source']): JobInput['source'] {
  return typeof id === 'number' ? { ...end, id } : end;
}
