import type { Call, FaceContext, Route } from '../route.ts';

/** What there is to call, for clients that look addresses up. It tells a stranger nothing that the documents do not. */
export function indexRoute({ orchestrate, version }: FaceContext): Route {
  return {
    method: 'GET',
    paths: ['/v2/storage'],
    right: 'open',
    summary: 'Addresses of the components',
    shapes: { answer: { type: 'object' } },
    handle: async (call) => ({
      host: new URL(call.rootUri('/')).host,
      api: 'storage',
      version: 'v2',
      revision: version,
      documentation: call.rootUri('/openapi/keboola.json'),
      components: [
        ...orchestrate.componentRuns
          .list()
          .filter(({ id, isOffBecause }) => isOffBecause === null && id !== 'orchestrator')
          .map(({ id, name }) => ({ id, name, type: 'other', uri: uriOf(call, id) })),
        { id: 'orchestrator', name: 'Orchestrator', type: 'other', uri: call.rootUri('/orchestrator') },
        { id: 'queue', name: 'Queue', type: 'other', uri: call.rootUri('/queue') },
      ],
      services: [],
      urlTemplates: { orchestrationJob: call.rootUri('/jobs/<%= jobId %>') },
    }),
  };
}

function uriOf(call: Call, component: string): string {
  return call.rootUri(`/components/${encodeURIComponent(component)}`);
}
