import { Failure } from '../../../errors.ts';
import type { OrchestrationView } from '../../../orchestrate/index.ts';
import { route, type Call, type FaceContext, type Route } from '../route.ts';
import * as shapes from './shapes.ts';
import { showDetail, showNotification, showSummary, showTask } from './show.ts';

const ALL = '/orchestrations';
const ONE = `${ALL}/:id`;
const NOUN = 'Orchestration';
/** Old clients know the path only as its first document misspelt it. */
const NOTIFICATIONS = [`${ONE}/notifications`, `${ONE}/nofitications`];

/** Orchestrations, their tasks and their notifications (4.1 to 4.3). */
export function orchestrationRoutes({ orchestrate }: FaceContext): readonly Route[] {
  const { definitions } = orchestrate;
  const find: Find = (call) => definitions.get(call.project, call.id(NOUN));
  return [...collectionRoutes(definitions), ...memberRoutes(definitions, find), ...listRoutes(definitions, find)];
}

type Definitions = FaceContext['orchestrate']['definitions'];
type Find = (call: Call) => Promise<OrchestrationView>;

/** With the version of the definition, for a later `If-Match`; jobs do not change it. */
function showVersioned(call: Call, view: OrchestrationView) {
  call.reply.header('etag', `W/"${view.revision}"`);
  return showDetail(view, call.uri);
}

function collectionRoutes(definitions: Definitions): readonly Route[] {
  return [
    {
      method: 'GET',
      paths: [ALL],
      right: 'read',
      summary: 'Orchestrations by id, without their tasks',
      shapes: { answer: shapes.summaries },
      handle: async ({ project, uri }) => (await definitions.list(project)).map((view) => showSummary(view, uri)),
    },
    {
      method: 'POST',
      paths: [ALL],
      right: 'change',
      summary: 'Make an orchestration, and a token for it unless one is named',
      status: 201,
      shapes: { body: shapes.creation, answer: shapes.detail },
      handle: async (call) => showVersioned(call, await definitions.create(call.scope(), call.body())),
    },
  ];
}

function memberRoutes(definitions: Definitions, find: Find): readonly Route[] {
  return [
    route({
      method: 'GET',
      paths: [ONE],
      right: 'read',
      summary: 'One orchestration',
      shapes: { answer: shapes.detail },
      find,
      handle: async (call, view) => showVersioned(call, view),
    }),
    route({
      method: 'PUT',
      paths: [ONE],
      right: 'change',
      summary: 'Change the fields that are sent; with If-Match only while nobody else did',
      shapes: { body: shapes.change, answer: shapes.detail },
      find,
      handle: async (call, { id }) => {
        const change = { sent: call.body(), ...readIfMatch(call) };
        return showVersioned(call, await definitions.update(call.scope(), id, change));
      },
    }),
    route({
      method: 'DELETE',
      paths: [ONE],
      right: 'change',
      summary: 'Delete an orchestration; its jobs end and stay readable',
      status: 204,
      find,
      handle: (call, { id }) => definitions.remove(call.scope(), id),
    }),
    route({
      method: 'POST',
      paths: [`${ONE}/create-token`],
      right: 'change',
      summary: 'Give it a new token of its own',
      shapes: { answer: shapes.detail },
      find,
      handle: async (call, { id }) => {
        refuseContent(call);
        return showVersioned(call, await definitions.renewToken(call.scope(), id));
      },
    }),
  ];
}

function listRoutes(definitions: Definitions, find: Find): readonly Route[] {
  return [
    route({
      method: 'GET',
      paths: [`${ONE}/tasks`],
      right: 'read',
      summary: 'Tasks of an orchestration',
      shapes: { answer: shapes.tasks },
      find,
      handle: async (_call, { tasks }) => tasks.map(showTask),
    }),
    route({
      method: 'PUT',
      paths: [`${ONE}/tasks`],
      right: 'change',
      summary: 'Replace all tasks; jobs that exist keep theirs',
      status: 202,
      shapes: { body: shapes.sentTasks, answer: shapes.tasks },
      find,
      handle: async (call, { id }) => (await definitions.replaceTasks(call.scope(), id, call.value())).map(showTask),
    }),
    route({
      method: 'GET',
      paths: NOTIFICATIONS,
      right: 'read',
      summary: 'Who is told of the jobs of an orchestration',
      shapes: { answer: shapes.notifications },
      find,
      handle: async (_call, { notifications }) => notifications.map(showNotification),
    }),
    route({
      method: 'PUT',
      paths: NOTIFICATIONS,
      right: 'change',
      summary: 'Replace all notifications',
      status: 202,
      shapes: { body: shapes.notifications, answer: shapes.notifications },
      find,
      handle: async (call, { id }) => {
        const rules = await definitions.replaceNotifications(call.scope(), id, call.value());
        return rules.map(showNotification);
      },
    }),
  ];
}

/** Nothing is read from the body, but it is JSON; an empty array is what PHP makes of an empty object. */
function refuseContent(call: Call): void {
  const body = call.value();
  if (!Array.isArray(body) || body.length > 0) call.body();
}

/** What an earlier answer said its version is; the change is refused when there is another by now. */
function readIfMatch({ request }: Call): { readonly ifRevision?: number } {
  const sent = request.headers['if-match'];
  if (sent === undefined || sent === '*') return {};
  const revision = /^(?:W\/)?"(\d{1,9})"$/.exec(sent)?.[1];
  if (revision === undefined) throw new Failure('bad_request', 'If-Match: must be the ETag of an earlier answer');
  return { ifRevision: Number(revision) };
}
