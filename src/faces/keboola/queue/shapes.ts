/** JSON Schemas of what is answered, for the document. */
const nullable = (type: string) => ({ type: [type, 'null'] });

export const status = {
  type: 'string',
  enum: ['waiting', 'processing', 'terminating', 'success', 'warning', 'error', 'cancelled', 'terminated'],
};
export const runId = {
  type: ['integer', 'string'],
  description: 'A root is its own id, a child the ids of its ancestors with dots.',
};
export const token = { type: 'object', properties: { id: { type: 'integer' }, description: { type: 'string' } } };

const fields = {
  id: { type: 'integer' },
  runId,
  lockName: { type: 'string' },
  project: { type: 'object', properties: { id: { type: 'integer' }, name: { type: 'string' } } },
  token,
  component: { type: 'string' },
  command: { type: 'string' },
  params: { type: 'object', description: 'Secrets are shown as ********.' },
  result: { ...nullable('object'), description: 'After a failure: message, exceptionId, context with advice.' },
  status,
  isFinished: { type: 'boolean' },
  process: { type: 'object', properties: { host: nullable('string'), pid: nullable('integer') } },
  createdTime: { type: 'string' },
  startTime: nullable('string'),
  endTime: nullable('string'),
  durationSeconds: nullable('integer'),
  waitSeconds: nullable('integer'),
  nestingLevel: { type: 'integer' },
  error: { type: ['string', 'null'], enum: ['user', 'application', null] },
  errorNote: nullable('string'),
  terminatedBy: {
    ...nullable('object'),
    description: 'The token that ended it; id 0 for what was none, such as a time limit or a user of another face.',
    properties: token.properties,
  },
  usage: { type: 'array', items: {} },
  url: { type: 'string' },
};

export const queueJob = { type: 'object', required: Object.keys(fields), properties: fields };
export const queueJobs = { type: 'array', items: queueJob };
export const killed = {
  type: 'object',
  required: ['message', 'id', 'status'],
  properties: { message: { type: 'string' }, id: { type: 'integer' }, status },
};
