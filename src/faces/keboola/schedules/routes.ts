import type { OrchestrationView } from '../../../orchestrate/index.ts';
import { readId, route, type Call, type FaceContext, type Route } from '../route.ts';
import * as shapes from './shapes.ts';
import { showBackfill, showSchedule } from './show.ts';

const SCHEDULE = '/orchestrations/:id/schedule';
const BACKFILL = '/orchestrations/:id/backfill';
const BACKFILLS = '/orchestrations/:id/backfills';
const ONE_BACKFILL = '/orchestrations/:id/backfills/:backfill';

/** What of an orchestration belongs to its schedule. */
const FIELDS = ['crontabRecord', 'zone', 'overlap', 'catchUp', 'active'] as const;

type Find = (call: Call) => Promise<OrchestrationView>;

/** The schedule of an orchestration, with its next and its unmade ticks; and backfills. Ours (4.11, 15). */
export function scheduleRoutes(face: FaceContext): readonly Route[] {
  const { definitions } = face.orchestrate;
  const find: Find = (call) => definitions.get(call.project, call.id('Orchestration'));
  return [...timingRoutes(face, find), ...backfillRoutes(face, find), ...oneBackfillRoutes(face)];
}

function timingRoutes({ orchestrate }: FaceContext, find: Find): readonly Route[] {
  const { definitions, schedules } = orchestrate;
  const show = async (call: Call, id: number) => showSchedule(await schedules.get(call.project, id), call.uri);
  return [
    route({
      method: 'GET',
      paths: [SCHEDULE],
      right: 'read',
      summary: 'Its schedule: settings, the next five ticks, and the latest that made no job of their own',
      shapes: { answer: shapes.schedule },
      find,
      handle: (call, { id }) => show(call, id),
    }),
    route({
      method: 'PUT',
      paths: [SCHEDULE],
      right: 'change',
      summary: 'Change the settings of its schedule that are sent; active false pauses it',
      shapes: { body: shapes.change, answer: shapes.schedule },
      find,
      async handle(call, { id }) {
        const body = call.body();
        const sent = Object.fromEntries(FIELDS.flatMap((key) => (Object.hasOwn(body, key) ? [[key, body[key]]] : [])));
        await definitions.update(call.scope(), id, { sent });
        return show(call, id);
      },
    }),
  ];
}

function backfillRoutes({ orchestrate }: FaceContext, find: Find): readonly Route[] {
  const { schedules } = orchestrate;
  return [
    route({
      method: 'POST',
      paths: [BACKFILL],
      right: 'change',
      summary: 'Run it once for each tick of an interval of the past',
      status: 202,
      shapes: { body: shapes.backfillAsk, answer: shapes.backfill },
      find,
      async handle(call, { id }) {
        const path = `/orchestrations/${id}/backfill`;
        const ask = { orchestrationId: id, path, sent: call.body() };
        return showBackfill(await schedules.startBackfill(call.scope(), ask), call.uri);
      },
    }),
    route({
      method: 'GET',
      paths: [BACKFILLS],
      right: 'read',
      summary: 'Its latest fifty backfills, newest first',
      shapes: { answer: { type: 'array', items: shapes.backfill } },
      find,
      handle: async (call, { id }) =>
        (await schedules.listBackfills(call.project, id)).map((view) => showBackfill(view, call.uri)),
    }),
  ];
}

function oneBackfillRoutes({ orchestrate }: FaceContext): readonly Route[] {
  const { schedules } = orchestrate;
  const findOne = (call: Call) => schedules.getBackfill(call.project, whichOf(call));
  return [
    route({
      method: 'GET',
      paths: [ONE_BACKFILL],
      right: 'read',
      summary: 'A backfill with its jobs',
      shapes: { answer: shapes.backfill },
      find: findOne,
      handle: async (call, view) => showBackfill(view, call.uri),
    }),
    route({
      method: 'DELETE',
      paths: [ONE_BACKFILL],
      right: 'change',
      summary: 'Make no further job of a backfill, and cancel those that wait',
      status: 204,
      find: findOne,
      async handle(call) {
        await schedules.cancelBackfill(call.scope(), whichOf(call));
      },
    }),
  ];
}

function whichOf(call: Call) {
  return { orchestrationId: call.id('Orchestration'), id: readId(call.param('backfill'), 'Backfill') };
}
