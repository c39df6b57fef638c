import { isIPv4 } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { Failure } from './errors.ts';

/** Every setting of the product. `penstock settings` prints this table; an unknown `PENSTOCK_*` variable is refused. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  /** Folder with `initdb` and `postgres` to use instead of the packaged ones. */
  readonly pgBin: string | null;
  readonly publicUrl: string | null;
  readonly adminUser: string;
  readonly adminPassword: string | null;
  readonly storageToken: string | null;
  /** Text of the server key (32 bytes, base64) that wraps secrets; null = the key file in the data folder. */
  readonly secretKey: string | null;
  readonly corsOrigins: readonly string[];
  /** null = unset, which means "anywhere" on loopback and "data folder only" beyond it. */
  readonly fileRoots: readonly string[] | null;
  /** Whether connections without keys may use the cloud credentials of this server. */
  readonly serverKeys: 'allow' | 'refuse';
  readonly authOpenFaces: readonly string[];
  readonly authSignup: 'open' | 'closed';
  readonly authPasswordMinLength: number;
  readonly httpMaxBodyBytes: number;
  readonly runsRetentionDays: number;
  readonly workerSlots: number;
  readonly leaseSeconds: number;
  readonly scheduleCatchUpMinutes: number;
  /** The one project of the orchestrator: its number and its name. */
  readonly projectId: number;
  readonly projectName: string;
  /** Component runs of a project at once. */
  readonly parallelism: number;
  readonly orchestrationNesting: number;
  readonly trustedComponentHosts: readonly string[];
  readonly componentHosts: readonly string[];
  readonly anyPublicHost: 'allow' | 'refuse';
  readonly remoteComponents: ReadonlyMap<string, string>;
  readonly disabledComponents: readonly string[];
  /** Absolute paths of programs; none: `shell.run` is off. */
  readonly shellPrograms: readonly string[];
  /** Images; none: `container.run` is off. */
  readonly containerImages: readonly string[];
  readonly containerProgram: string;
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
  readonly lineageUrl: string | null;
  readonly lineageKey: string | null;
  readonly lineageFile: string | null;
  readonly maintenance: string | null;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Named stopping point at which sync attempts kill themselves; only for fault tests. */
  readonly testStopAt: string | null;
}

interface Setting<T> {
  readonly fallback: string | null;
  readonly about: string;
  readonly secret?: true;
  readonly parse: (text: string) => T;
}

const FACES = ['olake', 'datahq', 'odm', 'vela', 'keboola'];

const text = (value: string): string => value;
const list = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function integer(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw new Error(`give a whole number from ${least} to ${most}`);
    return number;
  };
}

function oneOf<T extends string>(...words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new Error(`give one of ${words.join(', ')}`);
    return word;
  };
}

function url(...protocols: readonly string[]): (value: string) => string {
  return (value) => {
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
      throw new Error(`give a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
    }
    return value;
  };
}

function origins(value: string): string[] {
  const all = list(value);
  const bad = all.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin);
  if (bad !== undefined)
    throw new Error(`give origins like http://localhost:8000, separated by commas; "${bad}" is none`);
  return all;
}

function paths(value: string): string[] {
  const all = list(value);
  const bad = all.find((path) => !isAbsolute(path));
  if (bad !== undefined) throw new Error(`give absolute paths, separated by commas; "${bad}" is not absolute`);
  return all;
}

const folders = (value: string): string[] => paths(value).map((path) => resolve(path));

function hosts(pattern: RegExp, wanted: string): (value: string) => string[] {
  return (value) => {
    const all = list(value).map((entry) => entry.toLowerCase());
    const bad = all.find((entry) => !pattern.test(entry));
    if (bad !== undefined) throw new Error(`give ${wanted}, separated by commas; "${bad}" is none`);
    return all;
  };
}
const hostPorts = hosts(/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):\d{1,5}$/, 'host:port');
const hostNames = hosts(/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'host names or *.suffix');

function componentAddresses(value: string): Map<string, string> {
  return new Map(
    list(value).map((pair) => {
      const [, id, address] = /^([^=]{1,255})=(.+)$/.exec(pair) ?? [];
      if (id === undefined || address === undefined || !URL.canParse(address)) {
        throw new Error(`give id=https://host/path, separated by commas; "${pair}" is none`);
      }
      return [id, address];
    }),
  );
}

function mailAddress(value: string): string {
  if (!/^[^\s,<>@]+@[^\s,<>@]+$/.test(value)) throw new Error('give one e-mail address');
  return value;
}

function faces(value: string): string[] {
  const all = list(value);
  const bad = all.find((face) => !FACES.includes(face));
  if (bad !== undefined) throw new Error(`give faces out of ${FACES.join(', ')}; "${bad}" is none`);
  const closed = ['olake', 'keboola'].find((face) => all.includes(face));
  if (closed !== undefined) throw new Error(`the ${closed} face is never open; leave it out`);
  return all;
}

function keyText(value: string): string {
  if (Buffer.from(value, 'base64').length !== 32)
    throw new Error('give 32 bytes as base64, e.g. from `openssl rand -base64 32`');
  return value;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Settings = { readonly [Key in keyof Config]: Setting<Config[Key]> };

const settings: Settings = {
  host: { fallback: '127.0.0.1', about: 'Address to listen on.', parse: text },
  port: { fallback: '8080', about: 'Port to listen on; 0 = any free one.', parse: integer(0, 65535) },
  dataDir: {
    fallback: '.penstock',
    about: 'Folder of the embedded database, keys and local tables.',
    parse: (value) => resolve(value),
  },
  databaseUrl: {
    fallback: null,
    about: 'PostgreSQL >= 15 to use instead of the embedded one.',
    secret: true,
    parse: url('postgres:', 'postgresql:'),
  },
  pgBin: { fallback: null, about: 'Folder with initdb and postgres to use for the embedded database.', parse: text },
  publicUrl: { fallback: null, about: 'Address under which people reach this server.', parse: url('http:', 'https:') },
  adminUser: { fallback: 'admin', about: 'Name of the first administrator.', parse: text },
  adminPassword: {
    fallback: null,
    about: 'Password of the first administrator; generated and printed once when absent.',
    secret: true,
    parse: text,
  },
  storageToken: { fallback: null, about: 'Text of a bootstrap master token.', secret: true, parse: text },
  secretKey: {
    fallback: null,
    about: 'Key that wraps secrets: 32 bytes as base64. Default: a key file in the data folder.',
    secret: true,
    parse: keyText,
  },
  corsOrigins: {
    fallback: 'http://localhost:8000',
    about: 'Browser origins that may call the API, separated by commas.',
    parse: origins,
  },
  fileRoots: {
    fallback: null,
    about: 'Folders that local sources and destinations may use besides the data folder.',
    parse: folders,
  },
  serverKeys: {
    fallback: null,
    about:
      'allow or refuse: connections without keys use the cloud credentials of this server; default allow on loopback.',
    parse: oneOf('allow', 'refuse'),
  },
  authOpenFaces: { fallback: '', about: 'Faces that loopback callers may use without credentials.', parse: faces },
  authSignup: {
    fallback: null,
    about: 'open or closed; default open on loopback, else closed.',
    parse: oneOf('open', 'closed'),
  },
  authPasswordMinLength: {
    fallback: null,
    about: 'Least password length; default 1 on loopback, else 12.',
    parse: integer(1, 200),
  },
  httpMaxBodyBytes: { fallback: '67108864', about: 'Largest request body in bytes.', parse: integer(1024, 1073741824) },
  runsRetentionDays: { fallback: '30', about: 'Days that run rows and their logs are kept.', parse: integer(1, 3650) },
  workerSlots: { fallback: '8', about: 'Tasks that one worker process runs at once.', parse: integer(1, 256) },
  leaseSeconds: {
    fallback: '10',
    about: 'Lease of an attempt; a dead worker is replaced after it.',
    parse: integer(10, 3600),
  },
  scheduleCatchUpMinutes: {
    fallback: '60',
    about: 'A missed instant younger than this is made up for once.',
    parse: integer(0, 10080),
  },
  projectId: { fallback: '1', about: 'Number of the project of the orchestrator.', parse: integer(1, 2147483647) },
  projectName: { fallback: 'Penstock', about: 'Name of that project.', parse: text },
  parallelism: {
    fallback: '10',
    about: 'Component runs of the orchestrator at once.',
    parse: integer(1, 1000),
  },
  orchestrationNesting: {
    fallback: '2',
    about: 'Orchestrations that may start one another in one chain.',
    parse: integer(1, 10),
  },
  trustedComponentHosts: {
    fallback: '',
    about: 'host:port, by commas: may be called by plain HTTP and at private addresses, and get the full run token.',
    parse: hostPorts,
  },
  componentHosts: {
    fallback: '',
    about: 'Public hosts that tasks may call, exact or *.suffix, by commas.',
    parse: hostNames,
  },
  anyPublicHost: {
    fallback: 'refuse',
    about: 'allow or refuse: tasks may call any public host.',
    parse: oneOf('allow', 'refuse'),
  },
  remoteComponents: {
    fallback: '',
    about: 'Components elsewhere as id=https://host/path, by commas.',
    parse: componentAddresses,
  },
  disabledComponents: { fallback: '', about: 'Ids of components that are switched off, by commas.', parse: list },
  shellPrograms: {
    fallback: '',
    about: 'Absolute paths of programs that shell.run may start, by commas; none = shell.run is off.',
    parse: paths,
  },
  containerImages: {
    fallback: '',
    about: 'Images that container.run may start, by commas; none = container.run is off.',
    parse: list,
  },
  containerProgram: { fallback: '/usr/bin/docker', about: 'Program that runs containers (podman too).', parse: text },
  smtpUrl: {
    fallback: null,
    about:
      'Mail server, smtp:// or smtps://; ?verify=no takes any certificate. Without it messages stay in the outbox.',
    secret: true,
    parse: url('smtp:', 'smtps:'),
  },
  mailFrom: { fallback: 'penstock@localhost', about: 'Sender of mails.', parse: mailAddress },
  lineageUrl: {
    fallback: null,
    about: 'OpenLineage endpoint that gets run events by POST.',
    parse: url('http:', 'https:'),
  },
  lineageKey: { fallback: null, about: 'Bearer key for it.', secret: true, parse: text },
  lineageFile: {
    fallback: null,
    about: 'File that gets OpenLineage run events, one per line.',
    parse: (value) => resolve(value),
  },
  maintenance: { fallback: null, about: 'Reason with which the orchestrator answers 503.', parse: text },
  logLevel: {
    fallback: 'info',
    about: 'debug, info, warn, error or silent.',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
  testStopAt: {
    fallback: null,
    about: 'Fault tests only: the stopping point at which a sync attempt kills itself.',
    parse: text,
  },
};

/** The environment variable of a setting: `dataDir` → `PENSTOCK_DATA_DIR`. */
function variableOf(key: string): string {
  return `PENSTOCK_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** One line per setting: variable, default, meaning. */
export function describeSettings(): readonly { variable: string; fallback: string; about: string }[] {
  return Object.entries(settings).map(([key, setting]) => ({
    variable: variableOf(key),
    fallback: setting.fallback ?? '',
    about: setting.about,
  }));
}

/**
 * Reads the whole configuration from `PENSTOCK_*` variables. An unknown or invalid one throws a `configuration_invalid`
 * failure that names it and the remedy and shows no secret. An empty variable counts as absent.
 */
export function readConfig(environment: Environment = process.env): Config {
  refuseUnknown(environment);
  const host = environment['PENSTOCK_HOST'] || '127.0.0.1';
  const derived: Partial<Record<keyof Config, string>> = {
    serverKeys: isLoopback(host) ? 'allow' : 'refuse',
    authSignup: isLoopback(host) ? 'open' : 'closed',
    authPasswordMinLength: isLoopback(host) ? '1' : '12',
  };
  const config: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const value = environment[variableOf(key)] || (derived[key as keyof Config] ?? setting.fallback);
    config[key] = value === null ? null : parseSetting(key, setting, value);
  }
  return config as unknown as Config;
}

/** Nothing that a cloud's library would find by itself: no variables, no files, no metadata service. */
const NO_CLOUD_KEYS = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
} as const;

/** What a process that opens connections may see of the environment: the server's own cloud credentials, or none. */
export function cloudEnvironment(
  { serverKeys }: Pick<Config, 'serverKeys'>,
  environment: Environment = process.env,
): Readonly<Record<string, string>> {
  return serverKeys === 'refuse' ? NO_CLOUD_KEYS : pick(environment, /^(HOME|AWS_.*)$/);
}

/** What the program that runs containers may see: what tells where its store, its daemon and its registries are. */
export function runtimeEnvironment(environment: Environment = process.env): Readonly<Record<string, string>> {
  return pick(environment, /^(HOME|TMPDIR|(XDG|DOCKER|CONTAINERS?|REGISTRY|DBUS|SSL)_.*|(https?|no)_proxy)$/i);
}

function pick(environment: Environment, names: RegExp): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => names.test(name))) as Record<string, string>;
}

/** Makes this process see no more than `cloudEnvironment` allows: it opens tables for other engines by itself. */
export function closeCloudKeys(config: Pick<Config, 'serverKeys'>, environment = process.env): void {
  if (config.serverKeys === 'allow') return;
  for (const name of Object.keys(environment)) if (name.startsWith('AWS_')) delete environment[name];
  Object.assign(environment, NO_CLOUD_KEYS);
}

const ADVICE = 'Run `penstock settings` for the list.';

function parseSetting(key: string, setting: Setting<unknown>, value: string): unknown {
  try {
    return setting.parse(value);
  } catch (error) {
    const shown = setting.secret ? '' : ` is "${value}"`;
    const message = `${variableOf(key)}${shown}: ${(error as Error).message}`;
    throw new Failure('configuration_invalid', message, { cause: error, advice: ADVICE });
  }
}

function refuseUnknown(environment: Environment): void {
  const known = new Set(Object.keys(settings).map(variableOf));
  const unknown = Object.keys(environment).find((name) => name.startsWith('PENSTOCK_') && !known.has(name));
  if (unknown === undefined) return;
  const near = [...known].find((name) => name.includes(unknown.slice(9)) || unknown.includes(name));
  const hint = near ? `did you mean ${near}?` : 'there is none like it';
  throw new Failure('configuration_invalid', `unknown setting ${unknown}: ${hint}`, { advice: ADVICE });
}
