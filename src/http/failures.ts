import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../errors.ts';
import type { Face } from './types.ts';

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
  return new Failure('internal', 'Internal server error', { cause: thrown });
}

/** Sends a failure in the form of the face, or in the neutral one outside all faces; logs our own defects. */
export function sendFailure(
  { face, request, reply }: { face: Face | undefined; request: FastifyRequest; reply: FastifyReply },
  failure: Failure,
): void {
  if (failure.kind === 'internal') {
    request.log.error({ requestId: request.id, err: failure.cause ?? failure, url: request.url }, failure.message);
  }
  // The framework closes the connection after a refused body; ours are read to the end, and a reset would lose the answer.
  if (failure.status < 500) reply.removeHeader('connection');
  if (failure.kind === 'too_many_requests') reply.header('retry-after', '60');
  if (failure.kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  const { status, body } = face?.errorReply(failure, request) ?? neutralReply(failure);
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}

function neutralReply(failure: Failure): { status: number; body: unknown } {
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
