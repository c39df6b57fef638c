import type { FastifyRequest } from 'fastify';
import type { Failure, FailureKind } from '../../errors.ts';
import type { ErrorReply } from '../../http/index.ts';
import type { World } from '../../world.ts';
import { readRunId, showRunId } from './run-id.ts';

export const JSON_TYPE = 'application/json';

/** Stable words of ours beside the message; kinds that are not here have none. */
const codes: Partial<Record<FailureKind, string>> = {
  bad_request: 'VALIDATION',
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  method_not_allowed: 'METHOD_NOT_ALLOWED',
  conflict: 'STATE_CONFLICT',
  too_large: 'TOO_LARGE',
  too_many_requests: 'TOO_MANY_REQUESTS',
};

/** The word for an override that is not the list of tasks it should be (4.6). */
const OVERRIDE_CODE = 'JOB_VALIDATION';

/** Words of the storage subset (section 12). */
const storageCodes: Partial<Record<FailureKind, string>> = {
  bad_request: 'storage.validation',
  unauthenticated: 'storage.tokenInvalid',
  forbidden: 'storage.accessDenied',
  not_found: 'storage.notFound',
  method_not_allowed: 'storage.methodNotAllowed',
  conflict: 'storage.conflict',
  too_large: 'storage.tooLarge',
};

/** Turns failures into the two error forms of this face (2.5 and 12), each with an id that the log has too. */
export function createErrorReply(world: Pick<World, 'random'>) {
  return (failure: Failure, request: FastifyRequest): ErrorReply => {
    const reference = `penstock-${world.random(16).toString('hex')}`;
    const status = statusOf(failure);
    const message = status < 500 ? messageOf(failure) : `Internal error, see the log of the server for ${reference}.`;
    const isStorage = /^\/v2(\/|\?|$)/.test(request.url);
    const told = { message, reference };
    const body = isStorage ? storageBody(failure, told) : { ...runBody(failure, told), runId: runIdOf(request) };
    return { status, body, type: JSON_TYPE, reference };
  };
}

interface Told {
  readonly message: string;
  readonly reference: string;
}

function storageBody({ kind }: Failure, { message, reference }: Told) {
  return { error: message, code: storageCodes[kind] ?? 'storage.failed', exceptionId: reference };
}

function runBody(failure: Failure, { message, reference }: Told) {
  const status = statusOf(failure);
  const isOverride = failure.kind === 'unprocessable';
  const errorCode = codes[failure.kind];
  return {
    status: isOverride ? 'warning' : 'error',
    error: status < 500 ? 'User error' : 'Application error',
    code: isOverride ? OVERRIDE_CODE : status,
    message,
    exceptionId: reference,
    ...(errorCode !== undefined && { errorCode }),
  };
}

/** Clients repeat what failed with 500, and know no 422. */
function statusOf({ kind, status }: Failure): number {
  return kind === 'unprocessable' ? 400 : status;
}

/** What the parser of bodies refused is told in the words that clients look for. */
function messageOf({ kind, message, details }: Failure): string {
  const [detail] = details;
  if (kind === 'bad_request' && detail?.field === 'body') return `Bad JSON format of request body: ${detail.reason}`;
  return message;
}

function runIdOf(request: FastifyRequest): number | string {
  const path = readRunId(request.headers);
  return path === null ? 0 : showRunId(path);
}
