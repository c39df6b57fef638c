import { Failure, toFailure } from '../../../errors.ts';
import { contextOf } from '../queue/routes.ts';
import { queueJob } from '../queue/shapes.ts';
import { showQueueRun } from '../queue/show.ts';
import type { Call, FaceContext, Route } from '../route.ts';

const ENVELOPES = ['/docker/:component/run', '/docker/:component/run/tag/:tag'];

/** Components, and this server as one that runs them (4.10, 8.4). */
export function componentRoutes(face: FaceContext): readonly Route[] {
  const { componentRuns } = face.orchestrate;
  const start = async (call: Call, ask: { readonly envelope: boolean; readonly path: string }) => {
    const run = await componentRuns.start(call.scope(), {
      ...ask,
      component: call.param('component'),
      body: call.body(),
    });
    return showQueueRun(run, contextOf(call, face.config));
  };
  // Other than a job, it does what the caller makes up: a viewer may not.
  const common = { method: 'POST', right: 'change', status: 202, shapes: { answer: queueJob } } as const;
  return [
    {
      method: 'GET',
      paths: ['/components'],
      right: 'read',
      summary: 'Components that tasks can call, with the schemas of their parameters',
      shapes: { answer: listing },
      handle: async ({ uri }) =>
        componentRuns.list().map(({ id, name, description, schema, isOffBecause }) => ({
          id,
          name,
          enabled: isOffBecause === null,
          uri: uri(`/components/${encodeURIComponent(id)}`),
          description,
          schema,
        })),
    },
    {
      ...common,
      paths: ['/components/:component/run'],
      summary: 'Run a component with the body as its parameters',
      handle: (call) => start(call, { envelope: false, path: `/components/${call.param('component')}/run` }),
    },
    {
      ...common,
      paths: ENVELOPES,
      summary: 'Run a component with config or configData',
      handle: (call) =>
        start(call, { envelope: true, path: `/docker/${call.param('component')}/run` }).catch(asBadRequest),
    },
    {
      method: 'POST',
      paths: ['/docker/run'],
      right: 'change',
      summary: 'Refused: the component is missing',
      ignoresBody: true,
      async handle() {
        throw new Failure('bad_request', 'Specify the component: /docker/{component}/run');
      },
    },
  ];
}

/** At this place an unknown component is a mistake in the request, not a path that is not there. */
function asBadRequest(thrown: unknown): never {
  const failure = toFailure(thrown);
  throw failure.kind === 'not_found' ? new Failure('bad_request', failure.message) : thrown;
}

const listing = {
  type: 'array',
  items: {
    type: 'object',
    required: ['id', 'name', 'enabled', 'uri', 'description', 'schema'],
    properties: {
      id: { type: 'string' },
      name: { type: 'string' },
      enabled: { type: 'boolean' },
      uri: { type: 'string' },
      description: { type: 'string' },
      schema: { type: 'object', description: 'JSON Schema of its parameters.' },
    },
  },
};
