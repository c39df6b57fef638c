import type { Static } from 'typebox';
import { Failure } from '../../../errors.ts';
import type { ConfigAsk, ConnectionKind, Scope } from '../../../sync/index.ts';
import { SpecBody, StreamsBody, TestBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { ref } from '../shapes/index.ts';

const PROJECT = '/api/v1/project/:projectid';

/** What a connector asks for, whether a config works, and what a source holds. */
export function trialRoutes({ sync }: FaceRooms, kind: ConnectionKind): Route[] {
  const base = `${PROJECT}/${kind}s`;
  return [
    route({
      methods: ['GET', 'POST'],
      paths: [`${base}/spec`],
      role: 'viewer',
      summary: `Form of the config of a ${kind} type`,
      data: ref(kind === 'source' ? 'SourceSpec' : 'DestinationSpec'),
      body: SpecBody,
      bodyOrQuery: true,
      async handle(call) {
        call.scope();
        const { type, version, catalog } = call.body;
        const { jsonschema, uischema, catalog: chosen } = sync.specs.spec(kind, type, catalog ?? undefined);
        const spec = { jsonschema, uischema };
        const shown = { type, version: version ?? '' };
        const data = kind === 'source' ? { ...shown, spec } : { ...shown, catalog: catalog || chosen, spec };
        return { message: 'ok', data };
      },
    }),
    route({
      methods: ['GET'],
      paths: [`${base}/versions`],
      role: 'viewer',
      summary: `Versions of a ${kind} type, newest first`,
      data: ref('Versions'),
      async handle(call) {
        call.scope();
        return { message: 'ok', data: { version: sync.specs.versions(kind, call.query('type') ?? '') } };
      },
    }),
    route({
      methods: ['POST'],
      paths: [`${base}/test`],
      role: 'editor',
      summary: `Try out the config of a ${kind}`,
      data: ref('TestResult'),
      fails: [404],
      body: TestBody,
      async handle(call) {
        const { status, message, logs } = await sync.trials.test(askOf(call.scope(), kind, call.body));
        const { type, version, config } = call.body;
        const data = { type, version: version ?? '', config, connection_result: { status, message }, logs };
        return { message: 'connection test finished', data };
      },
    }),
  ];
}

/** Discovery of the streams of a source. */
export function discoverRoute({ sync }: FaceRooms): Route {
  return route({
    methods: ['GET', 'POST'],
    paths: [`${PROJECT}/source/streams`, `${PROJECT}/sources/streams`],
    role: 'editor',
    acts: true,
    summary: 'Discover the streams of a source',
    data: ref('Discovery'),
    fails: [404],
    body: StreamsBody,
    bodyOrQuery: true,
    async handle(call) {
      const { job_name: jobName, max_discover_threads: threads } = call.body;
      const ask = askOf(call.scope(), 'source', call.body);
      const catalog = await sync.trials
        .discover({ ...ask, ...(jobName && { jobName }), ...(threads && { threads }) })
        .catch((error: unknown) => Promise.reject(causeOf(error)));
      return { message: 'streams discovered', data: { streams_config: catalog, ...catalog } };
    },
  });
}

/** Whatever a discovery fails with at the source is the caller's to know, as a 400. */
function causeOf(error: unknown): unknown {
  if (!(error instanceof Failure) || error.kind === 'internal' || error.kind === 'not_found') return error;
  return new Failure('bad_request', error.message, { cause: error, details: error.details });
}

function askOf(scope: Scope, kind: ConnectionKind, body: Static<typeof TestBody>): ConfigAsk {
  const { type, version, config, name, job_id: jobId } = body;
  const id = body.id ?? (kind === 'source' ? body.source_id : body.destination_id);
  return {
    project: scope.project,
    kind,
    type,
    config,
    ...(typeof version === 'string' && { version }),
    ...(typeof id === 'number' && id > 0 && { id }),
    ...(typeof jobId === 'number' && jobId > 0 && { jobId }),
    ...(typeof name === 'string' && { name }),
  };
}
