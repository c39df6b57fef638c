/** JSON Schemas of what is answered, for the document. */
const text = { type: 'string' };
const nullable = { type: ['string', 'null'] };

export const STATES = ['pending', 'sent', 'failed', 'held'] as const;

const properties = {
  id: { type: 'integer' },
  orchestrationId: { type: 'integer' },
  jobId: { type: 'integer' },
  channel: { ...text, enum: ['error', 'warning', 'waiting', 'processing'] },
  to: { ...text, description: 'E-mail address, or address of a webhook.' },
  subject: text,
  text,
  cause: { ...text, description: 'Messages with the same cause are one group.' },
  state: { ...text, enum: STATES, description: 'held: there is no mail server to send it by.' },
  attempts: { type: 'integer' },
  lastError: nullable,
  createdTime: text,
  sentTime: nullable,
};

export const message = { type: 'object', required: Object.keys(properties), properties };
export const messages = { type: 'array', items: message };
