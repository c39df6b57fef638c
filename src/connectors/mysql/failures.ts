import { Failure, type FailureKind } from '../../errors.ts';

/** Where a connection leads, for sentences. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
}

/** Error numbers of the server. Those that need a sentence of their own are in `SENTENCES`. */
const BY_NUMBER: Readonly<Record<number, FailureKind>> = {
  1040: 'unreachable',
  1044: 'permission_missing',
  1049: 'object_missing',
  1051: 'object_missing',
  1053: 'connection_lost',
  1054: 'object_missing',
  1109: 'object_missing',
  1142: 'permission_missing',
  1143: 'permission_missing',
  1146: 'object_missing',
  1153: 'value_refused',
  1158: 'connection_lost',
  1159: 'connection_lost',
  1160: 'connection_lost',
  1161: 'connection_lost',
  1203: 'unreachable',
  1205: 'timed_out',
  1213: 'connection_lost',
  1226: 'unreachable',
  1227: 'permission_missing',
  1292: 'value_refused',
  1317: 'timed_out',
  1356: 'object_missing',
  1370: 'permission_missing',
  1690: 'value_refused',
  1927: 'connection_lost',
  1969: 'timed_out',
  3024: 'timed_out',
};

const SENTENCES: Readonly<Record<number, (place: Place, where: string) => Failure>> = {
  1129: (_, where) =>
    new Failure('unreachable', `${where} blocks this host after many failed connections; run "flush hosts" there`),
  1130: (_, where) =>
    new Failure(
      'permission_missing',
      `${where} lets no user connect from this host; create the user for it ('name'@'%')`,
    ),
  // The only function that we call and a server may lack: MySQL 9.6 made a component of it.
  1305: (_, where) =>
    new Failure(
      'configuration_invalid',
      `${where} has no function md5, by which tables are compared; run "install component 'file://component_classic_hashing'" there`,
    ),
  1412: () =>
    new Failure('connection_lost', 'the table was altered while it was read; the next attempt reads it as it is now'),
  1820: ({ username }, where) =>
    new Failure('credentials_refused', `the password of "${username}" at ${where} has expired and must be changed`),
  1862: ({ username }, where) =>
    new Failure('credentials_refused', `the password of "${username}" at ${where} has expired and must be changed`),
  3159: (_, where) =>
    new Failure('configuration_invalid', `${where} takes connections with TLS only; set ssl.mode to "require"`),
};

/** Refused at the door: `Access denied` and authentication methods that cannot be used. */
const REFUSED = new Set([1045, 1251, 1524, 1698, 3118, 3955]);

const BY_ERRNO: Readonly<Record<string, (where: string, host: string) => Failure>> = {
  ECONNREFUSED: (where) => new Failure('unreachable', `connection refused by ${where}`),
  ENOENT: (where) => new Failure('unreachable', `no server listens at ${where}`),
  EACCES: (where) => new Failure('unreachable', `the system does not let us connect to ${where}`),
  ENOTFOUND: (_, host) => new Failure('unreachable', `the host name "${host}" is not known`),
  EAI_AGAIN: (_, host) => new Failure('unreachable', `the host name "${host}" could not be looked up`),
  ETIMEDOUT: (where) => new Failure('unreachable', `no answer from ${where} within 10 s`),
  EHOSTUNREACH: (where) => new Failure('unreachable', `no route to ${where}`),
  ENETUNREACH: (where) => new Failure('unreachable', `no route to ${where}`),
  ECONNRESET: (where) => new Failure('connection_lost', `the connection to ${where} was reset`),
  EPIPE: (where) => new Failure('connection_lost', `the connection to ${where} was closed`),
  PROTOCOL_CONNECTION_LOST: (where) => new Failure('connection_lost', `the connection to ${where} was lost`),
  HANDSHAKE_NO_SSL_SUPPORT: (where) =>
    new Failure('configuration_invalid', `${where} does not offer TLS; set ssl.mode to "disable" or configure it`),
};

/**
 * What went wrong, as a `Failure`. A server's own sentence is kept as the first cause; nothing of the configuration but
 * host, port, database and user name enters the message.
 */
export function translateError(error: unknown, place: Place): Failure {
  if (error instanceof Failure) return error;
  const where = describePlace(place);
  const { code = '', errno, message = String(error) } = error as { code?: string; errno?: number; message?: string };
  const byErrno = BY_ERRNO[code];
  if (byErrno) return byErrno(where, place.host);
  if (errno !== undefined && errno >= 1000) return translateNumber(errno, message, place);
  if (/^AUTH_SWITCH|unknown plugin|authentication plugin/i.test(`${code} ${message}`)) {
    return new Failure('credentials_refused', `${where} wants an authentication that is not supported: ${message}`);
  }
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|ERR_OSSL|HANDSHAKE_SSL)/.test(code)) {
    return new Failure('configuration_invalid', `the certificate of ${where} was not accepted: ${message}`);
  }
  if (/closed|closing|Connection lost/i.test(message)) {
    return new Failure('connection_lost', `the connection to ${where} was lost`, { cause: error });
  }
  return new Failure('internal', `MySQL at ${where}: ${message}`, { cause: error });
}

export function translateNumber(errno: number, message: string, place: Place): Failure {
  const where = describePlace(place);
  const sentence = SENTENCES[errno];
  if (sentence) return sentence(place, where);
  if (REFUSED.has(errno)) {
    return new Failure('credentials_refused', `${where} refused user "${place.username}": ${message}`);
  }
  return new Failure(BY_NUMBER[errno] ?? 'internal', `${message} (error ${errno})`);
}

export function describePlace({ host, port }: Place): string {
  return host.startsWith('/') ? host : `${host}:${port}`;
}

export function lostFailure(place: Place): Failure {
  return new Failure('connection_lost', `the connection to ${describePlace(place)} was lost while reading`);
}

export function cancelledFailure(): Failure {
  return new Failure('cancelled', 'reading was cancelled');
}
