import { Failure, type FailureKind } from '../../errors.ts';

/** Where a connection leads, for sentences. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
}

/** SQLSTATEs and their classes (first two characters); the longest match decides. */
const BY_STATE: Readonly<Record<string, FailureKind>> = {
  '08': 'connection_lost',
  '0A': 'object_missing',
  '22': 'value_refused',
  '25006': 'internal',
  '28': 'credentials_refused',
  '3D': 'object_missing',
  '3F': 'object_missing',
  '40': 'connection_lost',
  '42501': 'permission_missing',
  '42703': 'object_missing',
  '42704': 'object_missing',
  '42P01': 'object_missing',
  '42883': 'configuration_invalid',
  '53': 'unreachable',
  '54': 'value_refused',
  '55P03': 'timed_out',
  '57014': 'timed_out',
  '57P': 'connection_lost',
  '57P03': 'unreachable',
  '58': 'connection_lost',
};

const BY_ERRNO: Readonly<Record<string, (place: string, host: string) => Failure>> = {
  ECONNREFUSED: (place) => new Failure('unreachable', `connection refused by ${place}`),
  ENOENT: (place) => new Failure('unreachable', `no server listens at ${place}`),
  EACCES: (place) => new Failure('unreachable', `the system does not let us connect to ${place}`),
  ENOTFOUND: (_, host) => new Failure('unreachable', `the host name "${host}" is not known`),
  EAI_AGAIN: (_, host) => new Failure('unreachable', `the host name "${host}" could not be looked up`),
  ETIMEDOUT: (place) => new Failure('unreachable', `no answer from ${place}`),
  EHOSTUNREACH: (place) => new Failure('unreachable', `no route to ${place}`),
  ENETUNREACH: (place) => new Failure('unreachable', `no route to ${place}`),
  ECONNRESET: (place) => new Failure('connection_lost', `the connection to ${place} was reset`),
  EPIPE: (place) => new Failure('connection_lost', `the connection to ${place} was closed`),
};

/**
 * What went wrong, as a `Failure`. A server's own sentence is kept as the first cause; nothing of the configuration but host, port,
 * database and user name enters the message.
 */
export function translateError(error: unknown, place: Place): Failure {
  if (error instanceof Failure) return error;
  const where = `${place.host}:${place.port}`;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  const byErrno = BY_ERRNO[code];
  if (byErrno) return byErrno(where, place.host);
  if (/^[0-9A-Z]{5}$/.test(code)) return translateState(code, message, place);
  if (isTlsProblem(code)) {
    return new Failure('configuration_invalid', `the certificate of ${where} was not accepted: ${message}`);
  }
  if (message.includes('does not support SSL')) {
    return new Failure(
      'configuration_invalid',
      `${where} does not offer TLS; set ssl.mode to "disable" or configure it`,
    );
  }
  if (message.includes('timeout expired')) {
    return new Failure('unreachable', `no answer from ${where} within 10 s`);
  }
  if (/Connection terminated|closed|not queryable|EPIPE/i.test(message)) {
    return new Failure('connection_lost', `the connection to ${where} was lost`, { cause: error });
  }
  return new Failure('internal', `PostgreSQL at ${where}: ${message}`, { cause: error });
}

function translateState(state: string, message: string, place: Place): Failure {
  const kind = BY_STATE[state] ?? BY_STATE[state.slice(0, 3)] ?? BY_STATE[state.slice(0, 2)] ?? 'internal';
  if (kind === 'credentials_refused') {
    return new Failure(kind, `${place.host}:${place.port} refused user "${place.username}": ${message}`);
  }
  // What an exported snapshot is called that ended with its transaction.
  if (/snapshot ".*" does not exist|invalid snapshot identifier/.test(message)) {
    return new Failure('connection_lost', 'the snapshot of this load is gone: the connection that held it was lost');
  }
  return new Failure(kind, `${message} (SQLSTATE ${state})`);
}

function isTlsProblem(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|ERR_OSSL)/.test(code);
}

export function cancelledFailure(): Failure {
  return new Failure('cancelled', 'reading was cancelled');
}
