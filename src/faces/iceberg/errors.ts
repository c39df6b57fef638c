import { Failure, type FailureKind } from '../../errors.ts';

/** Words of the Iceberg REST protocol for errors; clients decide by status and word. */
const types: Partial<Record<FailureKind, string>> = {
  bad_request: 'BadRequestException',
  configuration_invalid: 'BadRequestException',
  unauthenticated: 'NotAuthorizedException',
  forbidden: 'ForbiddenException',
  not_found: 'NotFoundException',
  conflict: 'AlreadyExistsException',
  commit_conflict: 'CommitFailedException',
  unprocessable: 'UnprocessableEntityException',
  too_large: 'BadRequestException',
  unsupported_media: 'BadRequestException',
  too_many_requests: 'TooManyRequestsException',
  unreachable: 'ServiceUnavailableException',
  storage_failed: 'ServiceUnavailableException',
  timed_out: 'ServiceUnavailableException',
};

/** Things that the protocol has words of its own for, by what the first detail names. */
const missing: Readonly<Record<string, string>> = {
  namespace: 'NoSuchNamespaceException',
  table: 'NoSuchTableException',
};

/** The answer for a failure: `{"error": {"message", "type", "code"}}`. */
export function replyTo(failure: Failure): { readonly status: number; readonly body: unknown } {
  const { status, kind } = failure;
  const message = kind === 'internal' ? 'Internal server error' : failure.message;
  return { status, body: { error: { message, type: typeOf(failure), code: status } } };
}

function typeOf({ kind, details }: Failure): string {
  const [detail] = details;
  if (kind === 'not_found' && detail) return missing[detail.field] ?? types.not_found!;
  if (kind === 'conflict' && detail?.reason === 'not empty') return 'NamespaceNotEmptyException';
  return types[kind] ?? 'InternalServerError';
}
