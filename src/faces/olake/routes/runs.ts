import { Type } from 'typebox';
import { Failure } from '../../../errors.ts';
import { LogsBody } from '../contract.ts';
import { readNumber, route, type Call, type FaceRooms, type Route } from '../route.ts';
import { sendDownload } from '../download.ts';
import { ref } from '../shapes/index.ts';
import { showLog, showRun } from '../translate.ts';

const JOB = '/api/v1/project/:projectid/jobs/:id';

/** Runs of jobs: start, end, history, logs, clearing. */
export function runRoutes(rooms: FaceRooms): Route[] {
  return [...startRoutes(rooms), ...historyRoutes(rooms), ...clearRoutes(rooms)];
}

function startRoutes({ sync }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: [`${JOB}/sync`],
      role: 'editor',
      summary: 'Sync now; skipped while a sync of the job has not ended',
      data: Type.Null(),
      fails: [404, 409],
      async handle(call) {
        const outcome = await sync.runs.sync(call.scope(), call.id());
        const message =
          outcome === 'started' ? 'sync triggered successfully' : 'sync skipped: one is already queued or running';
        return { message, data: null };
      },
    }),
    route({
      methods: ['POST', 'GET'],
      paths: [`${JOB}/cancel`],
      role: 'editor',
      acts: true,
      summary: 'End the running sync, if there is one',
      data: Type.Null(),
      fails: [404],
      async handle(call) {
        await sync.runs.cancel(call.scope(), call.id());
        return { message: 'job cancelled successfully', data: null };
      },
    }),
  ];
}

function historyRoutes(rooms: FaceRooms): Route[] {
  const { sync, world } = rooms;
  return [
    route({
      methods: ['GET'],
      paths: [`${JOB}/tasks`],
      role: 'viewer',
      summary: 'History of a job, newest first',
      data: Type.Array(ref('Task')),
      fails: [404],
      paged: true,
      async handle(call) {
        const { items, total } = await sync.runs.list(call.scope().project, call.id(), call.paging());
        const now = world.now();
        return { message: 'tasks listed', data: items.map((run) => showRun(run, now)), total };
      },
    }),
    route({
      methods: ['GET', 'POST'],
      paths: [`${JOB}/task/:taskid/logs`, `${JOB}/tasks/:taskid/logs`],
      role: 'viewer',
      summary: 'A page of the log of a run; file_path, when given, wins over the id in the path',
      data: ref('LogPage'),
      fails: [404],
      body: LogsBody,
      bodyOrQuery: true,
      async handle(call) {
        const runId = call.body.file_path || call.query('file_path') || call.param('taskid');
        const page = await sync.runs.readLog(call.scope().project, call.id(), { runId, ...logQueryOf(call) });
        return { message: 'logs read', data: showLog(page) };
      },
    }),
    route({
      methods: ['GET'],
      paths: [`${JOB}/logs/download`],
      role: 'viewer',
      summary: 'Log, state and statistics of a run as a gzipped tar',
      data: 'file',
      fails: [404],
      async handle(call) {
        const runId = call.query('file_path') || call.query('task_id');
        if (!runId) throw new Failure('bad_request', 'query parameter file_path is required');
        await sendDownload(rooms, call, runId);
        return undefined;
      },
    }),
  ];
}

function logQueryOf(call: Call<unknown>) {
  const direction = call.query('direction') || 'older';
  if (direction !== 'older' && direction !== 'newer') {
    throw new Failure('bad_request', 'query parameter direction must be older or newer');
  }
  const most = Number.MAX_SAFE_INTEGER;
  const cursor = readNumber(call.query('cursor'), { name: 'cursor', least: -1, most, fallback: -1 });
  const limit = readNumber(call.query('limit'), { name: 'limit', least: 1, most: 10_000, fallback: 1000 });
  return { direction, cursor, limit } as const;
}

function clearRoutes({ sync }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: [`${JOB}/clear-destination`],
      role: 'editor',
      summary: 'Drop the tables of the selected streams; the next sync loads everything again',
      data: Type.Null(),
      fails: [404, 409],
      async handle(call) {
        await sync.runs.clear(call.scope(), call.id());
        return { message: 'clear destination triggered successfully', data: null };
      },
    }),
    route({
      methods: ['GET'],
      paths: [`${JOB}/clear-destination`],
      role: 'viewer',
      summary: 'Whether the destination is being cleared, and which tables a clear drops',
      data: Type.Object({
        running: Type.Boolean(),
        tables: Type.Array(Type.Object({ stream: Type.String(), database: Type.String(), table: Type.String() })),
      }),
      fails: [404],
      async handle(call) {
        const { running, tables } = await sync.runs.planClear(call.scope().project, call.id());
        return { message: 'ok', data: { running, tables: tables.map(({ stream, table }) => ({ stream, ...table })) } };
      },
    }),
    route({
      methods: ['POST'],
      paths: ['/internal/project/:projectid/jobs/:id/clear-destination/recover'],
      role: 'editor',
      summary: 'Queue an interrupted clear again',
      data: Type.Null(),
      fails: [404, 409],
      async handle(call) {
        const outcome = await sync.runs.recoverClear(call.scope(), call.id());
        return { message: outcome === 'started' ? 'clear destination queued again' : 'nothing to recover', data: null };
      },
    }),
  ];
}
