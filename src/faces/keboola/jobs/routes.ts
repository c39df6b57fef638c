import { Failure } from '../../../errors.ts';
import { PAGE_QUERY } from '../paging.ts';
import { tasks } from '../orchestrations/shapes.ts';
import { showTask } from '../orchestrations/show.ts';
import { contextOf } from '../queue/routes.ts';
import { route, type Call, type FaceContext, type Route } from '../route.ts';
import { streamEvents } from './stream.ts';
import * as shapes from './shapes.ts';
import { showEvent, showJob, showJobDetail, showResult } from './show.ts';

const JOBS = '/orchestrations/:id/jobs';
const USUAL_LIMIT = 20;
const USUAL_EVENTS = 100;
const NOUN = 'Job';

/** Jobs of orchestrations: starting, looking at them, ending them (4.4 to 4.8, 4.11). */
export function jobRoutes(face: FaceContext): readonly Route[] {
  return [...startRoutes(face), ...readRoutes(face), ...changeRoutes(face)];
}

function findOrchestration({ orchestrate }: FaceContext) {
  return async (call: Call): Promise<number> =>
    (await orchestrate.definitions.get(call.project, call.id('Orchestration'))).id;
}

function startRoutes(face: FaceContext): readonly Route[] {
  const { jobs } = face.orchestrate;
  const find = findOrchestration(face);
  return [
    route({
      method: 'POST',
      paths: [JOBS],
      right: 'start',
      summary: 'Start an orchestration',
      status: 201,
      shapes: { body: shapes.started, answer: shapes.job },
      find,
      async handle(call, orchestrationId) {
        const path = `/orchestrations/${orchestrationId}/jobs`;
        const job = await jobs.start(call.scope(), { path, sent: call.body(), orchestrationId });
        return showJobDetail(job, contextOf(call, face.config));
      },
    }),
    {
      method: 'POST',
      paths: ['/run'],
      right: 'start',
      summary: 'Start the orchestration that config names',
      status: 202,
      shapes: { body: shapes.run, answer: shapes.job },
      async handle(call) {
        const job = await jobs.start(call.scope(), { path: '/run', sent: call.body() });
        return showJobDetail(job, contextOf(call, face.config));
      },
    },
    route({
      method: 'POST',
      paths: ['/orchestrations/:id/trigger'],
      right: 'start',
      summary: 'Start an active orchestration as its schedule would, telling those who are configured',
      status: 202,
      ignoresBody: true,
      shapes: { answer: shapes.job },
      find,
      async handle(call, orchestrationId) {
        const path = `/orchestrations/${orchestrationId}/trigger`;
        const job = await jobs.trigger(call.scope(), { path, orchestrationId });
        return showJobDetail(job, contextOf(call, face.config));
      },
    }),
  ];
}

function readRoutes(face: FaceContext): readonly Route[] {
  const { jobs } = face.orchestrate;
  return [
    route({
      method: 'GET',
      paths: [JOBS],
      right: 'read',
      summary: 'Jobs of an orchestration, newest first',
      shapes: { query: PAGE_QUERY, answer: shapes.jobs },
      find: findOrchestration(face),
      async handle(call, orchestrationId) {
        const page = await jobs.list(call.project, orchestrationId, call.page(USUAL_LIMIT));
        call.countAll(page.total);
        return page.jobs.map((job) => showJob(job, contextOf(call, face.config)));
      },
    }),
    {
      method: 'GET',
      paths: ['/jobs/:id'],
      right: 'read',
      summary: 'One job of an orchestration, with its results until now',
      shapes: { answer: shapes.job },
      handle: async (call) => showJobDetail(await jobs.get(call.project, call.id(NOUN)), contextOf(call, face.config)),
    },
    {
      method: 'GET',
      paths: ['/jobs/:id/retry'],
      right: 'read',
      summary: 'The tasks of a finished job as a retry would run them: active are those that it would run',
      shapes: { answer: tasks },
      handle: async (call) => (await jobs.previewRetry(call.project, call.id(NOUN))).map(showTask),
    },
    {
      method: 'GET',
      paths: ['/jobs/:id/tasks/:position'],
      right: 'read',
      summary: 'One task of a job, counted from 0 as taskIndex of events, with all of its answer',
      shapes: { answer: shapes.resultTask },
      async handle(call) {
        const number = call.id(NOUN);
        const position = readPosition(call.param('position'));
        return showResult(await jobs.getTask(call.project, { number, position }), contextOf(call, face.config));
      },
    },
    eventRoute(face, '/jobs/:id/events', 'What a job and its children tell'),
    eventRoute(face, '/queue/job/:id/events', 'What a run of a component, or a job, and its children tell'),
  ];
}

function readPosition(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Failure('not_found', `Task ${text.slice(0, 100)} not found`);
}

function eventRoute(face: FaceContext, path: string, summary: string): Route {
  const ofAnyRun = path.startsWith('/queue');
  return {
    method: 'GET',
    paths: [path],
    right: 'read',
    summary: `${summary}, in order; with Accept: text/event-stream as it comes`,
    shapes: { query: { after: { type: 'string' }, limit: PAGE_QUERY.limit }, answer: shapes.events },
    async handle(call) {
      const which = { number: call.id(NOUN), after: call.query('after') ?? null, ofAnyRun };
      if (call.request.headers.accept?.includes('text/event-stream')) return streamEvents(face, call, which);
      const { limit } = call.page(USUAL_EVENTS);
      return (await face.orchestrate.jobs.events(call.project, { ...which, limit })).map(showEvent);
    },
  };
}

function changeRoutes(face: FaceContext): readonly Route[] {
  const { jobs } = face.orchestrate;
  return [
    {
      method: 'DELETE',
      paths: ['/jobs/:id'],
      right: 'change',
      summary: 'Cancel a waiting job',
      status: 204,
      handle: (call) => jobs.cancel(call.scope(), call.id(NOUN)),
    },
    route({
      method: 'POST',
      paths: ['/jobs/:id/retry'],
      right: 'start',
      summary: 'Start what a finished job has not done, or the tasks that are active in the list sent',
      status: 202,
      shapes: { body: shapes.started, answer: shapes.job },
      find: async (call) => (await jobs.get(call.project, call.id(NOUN))).run.number,
      async handle(call, number) {
        const job = await jobs.retry(call.scope(), { number, path: `/jobs/${number}/retry`, sent: call.body() });
        return showJobDetail(job, contextOf(call, face.config));
      },
    }),
  ];
}
