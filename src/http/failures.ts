import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../errors.ts';
import type { ErrorReply, Face } from './types.ts';

const BY_CODE: Readonly<Record<string, () => Failure>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new Failure('unsupported_media', 'The content type is not supported here.'),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new Failure('too_large', 'The request body is too large.'),
  FST_ERR_BAD_URL: () => new Failure('bad_request', 'The path is not a valid URL path.'),
  FST_ERR_MAX_PARAM_LENGTH: () => new Failure('bad_request', 'A part of the path is too long.'),
  FST_ERR_HANDLER_TIMEOUT: () => new Failure('timed_out', 'The request took too long.'),
};

/** Sorts whatever a handler, a hook or the framework threw: only what nobody foresaw is `internal`. */
export function sortError(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const { code, statusCode, message } = thrown as Partial<FastifyError>;
  const known = code === undefined ? undefined : BY_CODE[code];
  if (known) return known();
  if (code?.startsWith('FST_') && statusCode !== undefined && statusCode < 500) {
    return new Failure('bad_request', message ?? 'The request is not valid.');
  }
  if (isDatabaseAway(thrown)) {
    return new Failure('unreachable', 'The database of this server does not answer now.', { cause: thrown });
  }
  return new Failure('internal', 'Internal server error', { cause: thrown });
}

/** Codes of a lost, refused, stopping, starting or full database, and what the driver says without a code. */
const AWAY_CODES = /^(08...|53...|57P0[1-5]|58...|ECONN[A-Z]+|EPIPE|ENOENT|ETIMEDOUT)$/;
const AWAY_MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/;

/** Whether a statement failed because our own database is away or cannot work, and not because of the statement. */
function isDatabaseAway(thrown: unknown): boolean {
  const { code, message, syscall, severity } = (thrown ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof message === 'string' && AWAY_MESSAGES.test(message)) return true;
  // A missing file has a code like a missing socket: only what the driver says, or a connect, counts.
  const isFromDriver = severity !== undefined || ['connect', 'read', 'write'].includes(String(syscall));
  return isFromDriver && typeof code === 'string' && AWAY_CODES.test(code);
}

/** Sends a failure in the form of the face, or in the neutral one outside all faces; logs our own defects. */
export function sendFailure(
  { face, request, reply }: { face: Face | undefined; request: FastifyRequest; reply: FastifyReply },
  failure: Failure,
): void {
  // Without the query: a client may put a config with its secrets there.
  const { status, body, type, reference } = face?.errorReply(failure, request) ?? neutralReply(failure);
  const path = request.url.split('?', 1)[0];
  const about = { requestId: request.id, method: request.method, path, ...(reference && { reference }) };
  if (failure.kind === 'internal') request.log.error({ ...about, err: failure.cause ?? failure }, failure.message);
  else if (failure.status >= 500) {
    request.log.warn({ ...about, error: String(failure.cause ?? failure.message) }, failure.message);
  } else if (reference !== undefined) request.log.info(about, failure.message);
  // The framework closes the connection after a refused body; ours are read to the end, and a reset would lose the answer.
  if (failure.status < 500 && reply.raw.shouldKeepAlive) reply.removeHeader('connection');
  if (failure.status === 503) reply.header('retry-after', '5');
  if (failure.kind === 'too_many_requests') reply.header('retry-after', '60');
  if (failure.kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  void reply
    .code(status)
    .header('content-type', type ?? JSON_TYPE)
    // As bytes: to text the framework adds a charset.
    .send(Buffer.from(JSON.stringify(body)));
}

const JSON_TYPE = 'application/json; charset=utf-8';

function neutralReply(failure: Failure): ErrorReply {
  const error = failure.kind === 'not_found' ? 'not found' : failure.message;
  return { status: failure.status, body: { error } };
}

/** Finds the face of a path by the longest prefix; undefined outside all of them. */
export function createFaceFinder(faces: readonly Face[]): (url: string) => Face | undefined {
  const prefixes = faces
    .flatMap((face) => face.prefixes.map((prefix) => ({ face, path: prefix.replace(/\/+$/, '') })))
    .sort((left, right) => right.path.length - left.path.length);
  return (url) => {
    const path = url.split('?', 1)[0]!;
    return prefixes.find((prefix) => path === prefix.path || path.startsWith(`${prefix.path}/`))?.face;
  };
}
