import { Type } from 'typebox';
import { route, type FaceRooms, type Route } from '../route.ts';
import { ref } from '../shapes/index.ts';
import { showRun } from '../translate.ts';

const JOB = '/api/v1/project/:projectid/jobs/:id';

/** Runs on a job's tables besides syncing; ours, beyond the original (contract, sections 14.2 and 14.13). */
export function tableRoutes(rooms: FaceRooms): Route[] {
  return [
    ...routesOf(rooms, {
      kind: 'maintain',
      path: `${JOB}/maintenance`,
      does: 'Look after the tables of the job now: join small files, expire snapshots, remove orphans',
      tells: 'The newest upkeep of the job, and what it did to each table',
    }),
    ...routesOf(rooms, {
      kind: 'verify',
      path: `${JOB}/verification`,
      does: 'Compare the tables of the job with their source, every row and value',
      tells: 'The newest comparison of the job, and its verdict on each stream',
    }),
  ];
}

interface TableRunRoutes {
  readonly kind: 'maintain' | 'verify';
  readonly path: string;
  readonly does: string;
  readonly tells: string;
}

function routesOf({ sync, world }: FaceRooms, { kind, path, does, tells }: TableRunRoutes): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: [path],
      role: 'editor',
      summary: does,
      data: Type.Null(),
      fails: [404],
      async handle(call) {
        const outcome = await sync.tables.start(call.scope(), call.id(), kind);
        const message = outcome === 'started' ? `${kind} triggered successfully` : `${kind} skipped: one has not ended`;
        return { message, data: null };
      },
    }),
    route({
      methods: ['GET'],
      paths: [path],
      role: 'viewer',
      summary: tells,
      data: Type.Object({ last_run: Type.Union([ref('Task'), Type.Null()]), tables: Type.Array(Type.Unknown()) }),
      fails: [404],
      async handle(call) {
        const newest = await sync.tables.newest(call.scope().project, call.id(), kind);
        const shown = newest ? showRun(newest.run, world.now()) : null;
        return { message: 'ok', data: { last_run: shown, tables: newest?.tables ?? [] } };
      },
    }),
  ];
}
