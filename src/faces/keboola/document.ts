/** What the document tells of a route. */
export interface Described {
  /** All served alike, at the root and (but for `/v2`) below `/orchestrator`. */
  readonly paths: readonly string[];
  /** `open` routes need no credential. */
  readonly right: string;
  readonly summary: string;
  /** Default 200. 204 answers nothing. */
  readonly status?: 200 | 201 | 202 | 204;
  /** JSON Schemas of what is sent (`query`: by parameter) and answered, for the document only: nothing is checked by them. */
  readonly shapes?: {
    readonly body?: object;
    readonly query?: Readonly<Record<string, object>>;
    readonly answer?: object;
  };
}

const text = { type: 'string' };

const storageError = {
  description: 'Refused',
  type: 'object',
  required: ['error', 'code', 'exceptionId'],
  properties: { error: text, code: { ...text, examples: ['storage.accessDenied'] }, exceptionId: text },
};

const error = {
  description: 'Refused',
  type: 'object',
  required: ['status', 'error', 'code', 'message', 'exceptionId', 'runId'],
  properties: {
    status: { enum: ['error', 'warning'] },
    error: { enum: ['User error', 'Application error'] },
    code: { description: 'The HTTP status; JOB_VALIDATION for an override that differs', type: ['integer', 'string'] },
    message: text,
    exceptionId: { ...text, description: 'The log of the server has it too' },
    runId: { description: 'Of the request; 0 for none', type: ['integer', 'string'] },
    errorCode: { ...text, examples: ['NOT_FOUND'] },
  },
};

/** What the document says of a route. A running server gets none of it: nothing is checked by it. */
export function describeRoute({ paths, right, status = 200, summary, shapes = {} }: Described) {
  const { body, query, answer = status === 204 ? { type: 'null' } : {} } = shapes;
  return {
    summary,
    tags: ['keboola'],
    ...(right === 'open' && { security: [] }),
    ...(body && { body }),
    ...(query && { querystring: { type: 'object', properties: query } }),
    response: {
      [status]: { description: status === 204 ? 'Done' : 'Done; this is the answer', ...answer },
      '4xx': paths[0]?.startsWith('/v2') ? storageError : error,
    },
  };
}
