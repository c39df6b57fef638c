import { Type } from 'typebox';
import { DifferenceBody, StateBody, StateFileBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { config, ref } from '../shapes/index.ts';

const JOB = '/api/v1/project/:projectid/jobs/:id';

/** As it was sent. */
const StateEcho = Type.Object({ state: config });

/** What a re-discovery changes for the tables of a job. */
export function differenceRoute({ sync }: FaceRooms): Route {
  return route({
    methods: ['POST'],
    paths: [`${JOB}/stream-difference`, `${JOB}/difference-streams`],
    role: 'viewer',
    summary: 'Streams whose tables must be cleared before the job may run with these streams',
    data: Type.Object({ difference_streams: ref('Catalog') }),
    fails: [404],
    body: DifferenceBody,
    async handle(call) {
      const sent = call.body.updated_streams_config;
      const difference = await sync.jobs.difference(call.scope().project, call.id(), sent);
      return { message: 'ok', data: { difference_streams: difference } };
    },
  });
}

/** The state file of a job; its numbers go in and out exactly. */
export function stateRoutes({ sync }: FaceRooms): Route[] {
  return [
    route({
      methods: ['GET'],
      paths: [`${JOB}/state`],
      role: 'viewer',
      summary: 'The state file of a job',
      data: Type.Object({ state: ref('StateFile') }),
      fails: [404],
      async handle(call) {
        return { message: 'ok', data: { state: await sync.jobs.state(call.scope().project, call.id()) } };
      },
    }),
    route({
      methods: ['PUT'],
      paths: [`${JOB}/state`],
      role: 'editor',
      summary: 'Replace the state file of a job that is not running',
      data: StateEcho,
      fails: [404, 409],
      body: StateBody,
      async handle(call) {
        const { state } = call.body;
        await sync.jobs.putState(call.scope(), call.id(), state);
        return { message: 'state updated successfully', data: { state } };
      },
    }),
    route({
      methods: ['PUT'],
      paths: ['/internal/project/:projectid/jobs/:id/statefile'],
      role: 'editor',
      summary: 'Replace the state file of a job that is not running',
      data: StateEcho,
      fails: [404, 409],
      body: StateFileBody,
      async handle(call) {
        const { state_file: state } = call.body;
        await sync.jobs.putState(call.scope(), call.id(), state);
        return { message: 'state updated successfully', data: { state } };
      },
    }),
  ];
}
