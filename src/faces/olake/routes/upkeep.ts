import { Type } from 'typebox';
import { route, type FaceRooms, type Route } from '../route.ts';
import { ref } from '../shapes/index.ts';
import { showRun } from '../translate.ts';

const JOB = '/api/v1/project/:projectid/jobs/:id';

/** Upkeep of a job's tables; ours, beyond the original (contract, section 14.2). */
export function upkeepRoutes({ sync, world }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: [`${JOB}/maintenance`],
      role: 'editor',
      summary: 'Look after the tables of the job now: join small files, expire snapshots, remove orphans',
      data: Type.Null(),
      fails: [404],
      async handle(call) {
        const outcome = await sync.tables.maintain(call.scope(), call.id());
        const message = outcome === 'started' ? 'maintenance triggered successfully' : 'maintenance skipped: one runs';
        return { message, data: null };
      },
    }),
    route({
      methods: ['GET'],
      paths: [`${JOB}/maintenance`],
      role: 'viewer',
      summary: 'The newest upkeep of the job, and what it did to each table',
      data: Type.Object({ last_run: Type.Union([ref('Task'), Type.Null()]), tables: Type.Array(Type.Unknown()) }),
      fails: [404],
      async handle(call) {
        const newest = await sync.tables.newest(call.scope().project, call.id());
        const shown = newest ? showRun(newest.run, world.now()) : null;
        return { message: 'ok', data: { last_run: shown, tables: newest?.tables ?? [] } };
      },
    }),
  ];
}
