/** A client of the OLake face as anyone could write it: fetch, JSON, a bearer token. Nothing of Penstock is imported. */
export interface Client {
  readonly token: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
}

interface Envelope<T> {
  readonly success: boolean;
  readonly message: string;
  readonly data: T;
}

/** Signs in and answers a client for the paths of one project; every failed call throws with the server's message. */
export async function signIn(url: string, login: { username: string; password: string }): Promise<Client> {
  const { token } = await call<{ token: string }>(`${url}/login`, { method: 'POST', body: login });
  const base = `${url}/api/v1/project/olake`;
  return {
    token,
    get: (path) => call(`${base}${path}`, { token }),
    post: (path, body) => call(`${base}${path}`, { method: 'POST', token, body }),
  };
}

async function call<T>(url: string, options: { method?: string; token?: string; body?: unknown }): Promise<T> {
  const response = await fetch(url, {
    method: options.method ?? 'GET',
    headers: {
      ...(options.token && { authorization: `Bearer ${options.token}` }),
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
    },
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
  });
  const envelope = (await response.json()) as Envelope<T>;
  if (!envelope.success)
    throw new Error(`${options.method ?? 'GET'} ${new URL(url).pathname}: ${response.status} ${envelope.message}`);
  return envelope.data;
}
