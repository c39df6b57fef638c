/**
 * The closed table of error kinds: what HTTP status a kind answers with, whether a run may retry after it, and who has
 * to act. Faces translate a `Failure` to their own error form; the engine reads `retry`; people read `blame` and advice.
 */
interface KindRule {
  readonly status: number;
  readonly retry: boolean;
  readonly blame: 'user' | 'operator' | 'bug';
  readonly advice: string;
}

export const failureKinds = {
  bad_request: {
    status: 400,
    retry: false,
    blame: 'user',
    advice: 'Correct the named field and send the request again.',
  },
  unauthenticated: { status: 401, retry: false, blame: 'user', advice: 'Sign in, or send a valid token.' },
  forbidden: { status: 403, retry: false, blame: 'user', advice: 'Ask an administrator for a role that allows this.' },
  not_found: { status: 404, retry: false, blame: 'user', advice: 'Check the id and the project.' },
  method_not_allowed: { status: 405, retry: false, blame: 'user', advice: 'Use a method that the path has.' },
  conflict: { status: 409, retry: false, blame: 'user', advice: 'Read the present state and decide again.' },
  too_large: { status: 413, retry: false, blame: 'user', advice: 'Send less, or raise the body limit.' },
  unsupported_media: {
    status: 415,
    retry: false,
    blame: 'user',
    advice: 'Send the media type that the endpoint documents.',
  },
  unprocessable: {
    status: 422,
    retry: false,
    blame: 'user',
    advice: 'Correct the named field and send the request again.',
  },
  too_many_requests: { status: 429, retry: true, blame: 'user', advice: 'Wait, then try again more slowly.' },
  configuration_invalid: {
    status: 400,
    retry: false,
    blame: 'user',
    advice: 'Correct the configuration and test the connection.',
  },
  credentials_refused: {
    status: 400,
    retry: false,
    blame: 'user',
    advice: 'Check the user name, the password and the rights.',
  },
  permission_missing: {
    status: 400,
    retry: false,
    blame: 'operator',
    advice: 'Grant the named right to the user of the connection.',
  },
  object_missing: {
    status: 400,
    retry: false,
    blame: 'user',
    advice: 'Check that the named object exists, then discover again.',
  },
  value_refused: {
    status: 400,
    retry: false,
    blame: 'user',
    advice: 'Correct the row, or choose error_policy "quarantine".',
  },
  unreachable: {
    status: 503,
    retry: true,
    blame: 'operator',
    advice: 'Check that the system runs and that the network lets us reach it.',
  },
  connection_lost: {
    status: 503,
    retry: true,
    blame: 'operator',
    advice: 'The next attempt resumes; check the system if it happens again.',
  },
  commit_conflict: {
    status: 409,
    retry: true,
    blame: 'operator',
    advice: 'Another writer changed the table; the next attempt starts from its state.',
  },
  storage_failed: {
    status: 503,
    retry: true,
    blame: 'operator',
    advice: 'Check free space and rights of the storage.',
  },
  timed_out: { status: 504, retry: true, blame: 'operator', advice: 'Raise the time limit, or find out what is slow.' },
  worker_lost: {
    status: 503,
    retry: true,
    blame: 'operator',
    advice: 'The worker died; the next attempt resumes. Check its memory limit and log.',
  },
  lease_lost: {
    status: 409,
    retry: false,
    blame: 'operator',
    advice: 'A newer attempt owns this work; nothing is to be done.',
  },
  cancelled: { status: 409, retry: false, blame: 'user', advice: 'Start it again when you want it.' },
  component_failed: {
    status: 500,
    retry: true,
    blame: 'bug',
    advice: 'Look at the events of the run, and in the log of the server for its number.',
  },
  internal: { status: 500, retry: true, blame: 'bug', advice: 'Please report this with the request id or the run id.' },
} as const satisfies Record<string, KindRule>;

export type FailureKind = keyof typeof failureKinds;

export interface FailureDetail {
  readonly field: string;
  readonly reason: string;
}

export interface FailureOptions {
  readonly cause?: unknown;
  readonly advice?: string;
  readonly details?: readonly FailureDetail[];
}

/** What is kept of a failure on a run, and what may cross a process border. Holds no secret and no stack. */
export interface FailureRecord {
  readonly kind: FailureKind;
  readonly message: string;
  readonly blame: KindRule['blame'];
  readonly retryable: boolean;
  readonly advice: string;
}

/** An expected failure. `message` is one sentence for people, free of secrets; `kind` decides everything else. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly advice: string;
  readonly details: readonly FailureDetail[];

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.advice = options.advice ?? failureKinds[kind].advice;
    this.details = options.details ?? [];
  }

  get status(): number {
    return failureKinds[this.kind].status;
  }

  toRecord(): FailureRecord {
    const rule = failureKinds[this.kind];
    return { kind: this.kind, message: this.message, blame: rule.blame, retryable: rule.retry, advice: this.advice };
  }
}

/** Anything thrown, as a `Failure`: an unknown error is our own defect (`internal`) and keeps its cause. */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure('internal', message, { cause: thrown });
}

/** Rebuilds a failure from its record, for one that crossed a process border. */
export function fromRecord(record: FailureRecord): Failure {
  return new Failure(record.kind, record.message, { advice: record.advice });
}
