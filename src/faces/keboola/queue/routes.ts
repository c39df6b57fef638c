import { Failure } from '../../../errors.ts';
import { statusOf } from '../../../orchestrate/index.ts';
import { PAGE_QUERY } from '../paging.ts';
import type { FaceContext, Call, Route } from '../route.ts';
import { showQueueRun, type QueueContext } from './show.ts';
import * as shapes from './shapes.ts';

const USUAL_LIMIT = 100;
const LONGEST_FILTER = 2000;
const NOUN = 'Job';

/** All runs, also of components and of other faces (4.9). */
export function queueRoutes({ orchestrate, config }: FaceContext): readonly Route[] {
  const { componentRuns } = orchestrate;
  const context = (call: Call): QueueContext => contextOf(call, config);
  return [
    {
      method: 'GET',
      paths: ['/queue/job/:id'],
      right: 'read',
      summary: 'One run',
      shapes: { answer: shapes.queueJob },
      handle: async (call) => showQueueRun(await componentRuns.get(call.id(NOUN)), context(call)),
    },
    {
      method: 'GET',
      paths: ['/queue/jobs'],
      right: 'read',
      summary: 'All runs, newest first, filtered by q',
      shapes: { query: { q: { type: 'string' }, ...PAGE_QUERY }, answer: shapes.queueJobs },
      async handle(call) {
        const filter = readFilter(call);
        const { runs, total } = await componentRuns.queue({ filter, ...call.page(USUAL_LIMIT) });
        call.countAll(total);
        return runs.map((run) => showQueueRun(run, context(call)));
      },
    },
    {
      method: 'POST',
      paths: ['/queue/jobs/:id/kill'],
      right: 'change',
      summary: 'Ask a run to end; it has ended within 40 seconds',
      status: 202,
      ignoresBody: true,
      shapes: { answer: shapes.killed },
      async handle(call) {
        const { run } = await componentRuns.kill(call.scope(), call.id(NOUN));
        const status = statusOf(run);
        const message =
          status === 'terminating' ? `Job ${run.number} is being terminated` : `Job ${run.number} is ${status}`;
        return { message, id: run.number, status };
      },
    },
  ];
}

/** What jobs are shown with. */
export function contextOf(call: Pick<Call, 'uri'>, config: FaceContext['config']): QueueContext {
  return { uri: call.uri, project: { id: config.projectId, name: config.projectName } };
}

function readFilter(call: Call): string {
  const filter = call.query('q') ?? '';
  if (filter.length > LONGEST_FILTER) throw new Failure('bad_request', `q: at most ${LONGEST_FILTER} characters`);
  return filter;
}
