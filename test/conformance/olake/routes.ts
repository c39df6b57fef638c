/** Every route of the contract with the least role that may call it, and a body that its schema accepts. */
export interface KnownRoute {
  readonly method: string;
  /** `:p` stands for the project, `:id` for an id. */
  readonly path: string;
  readonly role: 'open' | 'viewer' | 'member' | 'admin';
  readonly body?: Readonly<Record<string, unknown>>;
}

const P = '/api/v1/project/:p';
const connection = { name: 'n', type: 'postgres', version: 'v1', config: {} };
const target = { ...connection, type: 'parquet' };
const job = { name: 'n', source: connection, destination: target, frequency: 'daily', streams_config: {} };
const user = { username: 'u', email: 'u@example.com', password: 'p' };

function oneKind(kind: 'source' | 'destination'): KnownRoute[] {
  const list = `${P}/${kind}s`;
  const body = kind === 'source' ? connection : target;
  const { type, config } = body;
  return [
    { method: 'GET', path: list, role: 'viewer' },
    { method: 'POST', path: list, role: 'member', body },
    { method: 'GET', path: `${list}/:id`, role: 'viewer' },
    { method: 'PUT', path: `${list}/:id`, role: 'member', body },
    { method: 'DELETE', path: `${list}/:id`, role: 'member' },
    { method: 'GET', path: `${list}/spec`, role: 'viewer', body: { type } },
    { method: 'POST', path: `${list}/spec`, role: 'viewer', body: { type } },
    { method: 'GET', path: `${list}/versions?type=${type}`, role: 'viewer' },
    { method: 'POST', path: `${list}/test`, role: 'member', body: { type, config } },
  ];
}

export const knownRoutes: readonly KnownRoute[] = [
  { method: 'POST', path: '/login', role: 'open', body: { username: 'u', password: 'p' } },
  { method: 'POST', path: '/signup', role: 'open', body: user },
  { method: 'POST', path: '/logout', role: 'open' },
  { method: 'GET', path: '/telemetry-id', role: 'open' },
  { method: 'GET', path: '/auth', role: 'viewer' },
  { method: 'GET', path: '/auth/check', role: 'viewer' },
  { method: 'GET', path: '/api/v1/users', role: 'admin' },
  { method: 'POST', path: '/api/v1/users', role: 'admin', body: user },
  { method: 'PUT', path: '/api/v1/users/:id', role: 'admin', body: { role: 'viewer' } },
  { method: 'DELETE', path: '/api/v1/users/:id', role: 'admin' },
  ...oneKind('source'),
  ...oneKind('destination'),
  ...['GET', 'POST'].flatMap((method) =>
    ['source', 'sources'].map((word): KnownRoute => ({
      method,
      path: `${P}/${word}/streams`,
      role: 'member',
      body: { type: 'postgres', config: {} },
    })),
  ),
  { method: 'GET', path: `${P}/jobs`, role: 'viewer' },
  { method: 'POST', path: `${P}/jobs`, role: 'member', body: job },
  { method: 'GET', path: `${P}/jobs/:id`, role: 'viewer' },
  { method: 'PUT', path: `${P}/jobs/:id`, role: 'member', body: job },
  { method: 'DELETE', path: `${P}/jobs/:id`, role: 'member' },
  { method: 'POST', path: `${P}/jobs/:id/sync`, role: 'member' },
  { method: 'POST', path: `${P}/jobs/:id/activate`, role: 'member', body: { activate: true } },
  { method: 'POST', path: `${P}/jobs/:id/cancel`, role: 'member' },
  { method: 'GET', path: `${P}/jobs/:id/cancel`, role: 'member' },
  { method: 'GET', path: `${P}/jobs/:id/tasks`, role: 'viewer' },
  ...['GET', 'POST'].flatMap((method) =>
    ['task', 'tasks'].map((word): KnownRoute => ({
      method,
      path: `${P}/jobs/:id/${word}/1/logs`,
      role: 'viewer',
      body: { file_path: 'x' },
    })),
  ),
  { method: 'GET', path: `${P}/jobs/:id/logs/download?file_path=x`, role: 'viewer' },
  { method: 'POST', path: `${P}/jobs/:id/clear-destination`, role: 'member' },
  { method: 'GET', path: `${P}/jobs/:id/clear-destination`, role: 'viewer' },
  { method: 'POST', path: `${P}/jobs/:id/stream-difference`, role: 'viewer', body: { updated_streams_config: {} } },
  { method: 'POST', path: `${P}/jobs/:id/difference-streams`, role: 'viewer', body: { updated_streams_config: {} } },
  { method: 'GET', path: `${P}/jobs/:id/state`, role: 'viewer' },
  { method: 'PUT', path: `${P}/jobs/:id/state`, role: 'member', body: { state: {} } },
  { method: 'PUT', path: '/internal/project/:p/jobs/:id/statefile', role: 'member', body: { state_file: {} } },
  { method: 'POST', path: '/internal/project/:p/jobs/:id/clear-destination/recover', role: 'member' },
  { method: 'POST', path: `${P}/check-unique`, role: 'viewer', body: { name: 'free', entity_type: 'job' } },
  { method: 'GET', path: `${P}/settings`, role: 'viewer' },
  { method: 'PUT', path: `${P}/settings`, role: 'member', body: { project_id: ':p', webhook_alert_url: '' } },
  { method: 'GET', path: '/api/v1/platform/releases', role: 'viewer' },
  { method: 'GET', path: '/api/v1/platform/opt/status', role: 'viewer' },
];

/** The path in a project, with an id that no row has. */
export function pathIn(route: KnownRoute, project: string, id = '99999999'): string {
  return route.path.replace(':p', project).replace(':id', id);
}
