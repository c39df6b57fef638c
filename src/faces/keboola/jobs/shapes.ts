import { sentTask, tasks } from '../orchestrations/shapes.ts';
import { runId, status, token } from '../queue/shapes.ts';

/** JSON Schemas of what is sent and answered, for the document. */
const nullable = (type: string) => ({ type: [type, 'null'] });

export const resultTask = {
  description: 'The task; once it is reached, also how it ended and what it answered.',
  allOf: [
    tasks.items,
    {
      type: 'object',
      properties: {
        status: { type: 'string', enum: ['processing', 'success', 'warning', 'error', 'cancelled', 'terminated'] },
        startTime: { type: 'string' },
        endTime: nullable('string'),
        duration: nullable('integer'),
        runParameters: { type: 'object' },
        response: {},
      },
    },
  ],
};
const results = {
  type: ['object', 'null'],
  description: 'Null until the job begins.',
  properties: {
    tasks: { type: 'array', items: resultTask },
    phases: { type: 'array', items: { type: 'array', items: resultTask } },
  },
};
const always = {
  id: { type: 'integer' },
  orchestrationId: { type: 'integer' },
  createdTime: { type: 'string' },
  startTime: nullable('string'),
  endTime: nullable('string'),
  status,
  isFinished: { type: 'boolean' },
  initializedBy: { type: 'string', enum: ['manually', 'scheduler', 'trigger'] },
  token,
  initiatorToken: { type: 'object', properties: { ...token.properties, userAgent: { type: 'string' } } },
  results,
  notificationsEmails: { type: 'array', items: { type: 'string' } },
  runId,
  uri: { type: 'string' },
  url: { type: 'string' },
};
const sometimes = {
  retryOf: { type: 'integer' },
  scheduledTime: { type: 'string' },
  logicalTime: { type: 'string' },
  coalescedTicks: { type: 'integer' },
  message: { type: 'string', description: 'The first cause of an error.' },
};

const summary = { type: 'object', required: Object.keys(always), properties: { ...always, ...sometimes } };
export const jobs = { type: 'array', items: summary };
export const job = {
  type: 'object',
  required: [...summary.required, 'tasks'],
  properties: { ...summary.properties, tasks },
};

const start = {
  notificationsEmails: always.notificationsEmails,
  tasks: { type: 'array', items: sentTask, description: 'All tasks; only active may differ.' },
};
export const started = { type: 'object', properties: start };
export const run = {
  type: 'object',
  required: ['config'],
  properties: { config: { type: ['integer', 'string'], description: 'Id of the orchestration.' }, ...start },
};
export const events = {
  type: 'array',
  items: {
    type: 'object',
    required: ['id', 'created', 'type', 'message', 'runId'],
    properties: {
      id: { type: 'string' },
      created: { type: 'string' },
      type: { type: 'string', enum: ['info', 'success', 'warn', 'error'] },
      message: { type: 'string' },
      runId,
      taskIndex: { type: 'integer' },
    },
  },
};
