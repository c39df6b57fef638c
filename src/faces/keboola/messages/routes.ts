import { Failure } from '../../../errors.ts';
import type { MessageState } from '../../../notify/index.ts';
import { PAGE_QUERY } from '../paging.ts';
import { readId, route, type Call, type FaceContext, type Route } from '../route.ts';
import * as shapes from './shapes.ts';
import { showMessage } from './show.ts';

const USUAL_LIMIT = 100;
const QUERY = { ...PAGE_QUERY, state: { type: 'string', enum: shapes.STATES } };

/** What people were told of jobs, and what became of it (4.11). */
export function messageRoutes(face: FaceContext): readonly Route[] {
  const { orchestrate, notify } = face;
  const list = { method: 'GET', right: 'read', shapes: { query: QUERY, answer: shapes.messages } } as const;
  return [
    route({
      ...list,
      paths: ['/jobs/:id/messages'],
      summary: 'What people were told of a job, newest first',
      async find(call) {
        const jobId = call.id('Job');
        await orchestrate.jobs.check(call.project, jobId);
        return { jobId };
      },
      handle: (call, of) => listMessages(face, call, of),
    }),
    route({
      ...list,
      paths: ['/orchestrations/:id/messages'],
      summary: 'What people were told of the jobs of an orchestration, newest first',
      async find(call) {
        const { id: orchestrationId } = await orchestrate.definitions.get(call.project, call.id('Orchestration'));
        return { orchestrationId };
      },
      handle: (call, of) => listMessages(face, call, of),
    }),
    {
      ...list,
      paths: ['/orchestrator/messages'],
      summary: 'What people were told, newest first',
      handle: (call) => listMessages(face, call, {}),
    },
    {
      method: 'POST',
      paths: ['/orchestrator/messages/:id/resend'],
      right: 'change',
      summary: 'Send a message again that is not under way',
      status: 202,
      ignoresBody: true,
      shapes: { answer: shapes.message },
      handle: async (call) =>
        showMessage(await notify.resend(call.project, readId(call.param('id'), 'Message'), call.actor())),
    },
  ];
}

async function listMessages(
  { notify }: FaceContext,
  call: Call,
  of: { readonly jobId?: number; readonly orchestrationId?: number },
) {
  const state = readState(call.query('state'));
  const page = { ...call.page(USUAL_LIMIT), ...of, ...(state !== undefined && { state }) };
  const { messages, total } = await notify.list({ project: call.project, ...page });
  call.countAll(total);
  return messages.map(showMessage);
}

function readState(text: string | undefined): MessageState | undefined {
  const state = shapes.STATES.find((known) => known === text);
  if (text === undefined || state !== undefined) return state;
  throw new Failure('bad_request', `state: must be one of ${shapes.STATES.join(', ')}`);
}
