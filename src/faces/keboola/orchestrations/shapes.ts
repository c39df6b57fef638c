/** JSON Schemas of what is sent and answered, for the document. */
const text = (description: string) => ({ type: 'string', description });
const nullable = (type: string, description: string) => ({ type: [type, 'null'], description });
const flag = (description: string) => ({ type: 'boolean', description });
const object = (
  properties: Readonly<Record<string, object>>,
  required: readonly string[] = Object.keys(properties),
) => ({
  type: 'object',
  required,
  properties,
});
const list = (items: object) => ({ type: 'array', items });

const taskSettings = {
  component: text('Id of a component; either this or componentUrl.'),
  componentUrl: text('Address of a component elsewhere, https only; either this or component.'),
  action: text('Of a component; default run.'),
  actionParameters: {
    type: 'object',
    description: 'Values under keys that begin with # are secret: shown as ********, which keeps them when sent back.',
  },
  continueOnFailure: flag('Go on with the next phase when it fails; default false.'),
  timeoutMinutes: nullable('integer', '1 to 10080; null or 0: no limit.'),
  active: flag('Inactive tasks are skipped; default true.'),
  phase: nullable('string', 'Adjacent tasks of the same phase run at the same time.'),
};
export const sentTask = object(taskSettings, []);
const task = object({ id: { type: 'integer' }, ...taskSettings }, [
  'id',
  'actionParameters',
  'continueOnFailure',
  'timeoutMinutes',
  'active',
  'phase',
]);
const notification = object({
  email: text('One e-mail address, or the https address of a webhook.'),
  channel: { type: 'string', enum: ['error', 'warning', 'waiting', 'processing'] },
  parameters: {
    type: 'object',
    description:
      'waiting: timeout in minutes; processing: tolerance in percent of the usual duration; of a webhook: #secret, which signs.',
  },
});

const ownSettings = {
  zone: text('Time zone of the schedule; default UTC. Shown when it is another.'),
  overlap: {
    type: 'string',
    enum: ['enqueue', 'coalesce', 'skip', 'cancelRunning'],
    description: 'What a tick does while a job waits or runs; default coalesce. Shown when it is another.',
  },
  catchUp: {
    type: 'string',
    enum: ['none', 'one', 'all'],
    description: 'What becomes of ticks that were missed; default one. Shown when it is another.',
  },
};

const summaryFields = {
  id: { type: 'integer' },
  name: text('At most 255 characters.'),
  crontabRecord: nullable('string', 'Five fields or a macro such as @daily; null: no schedule.'),
  createdTime: text('ISO 8601 with offset.'),
  lastScheduledTime: nullable('string', 'Nominal time of the last tick.'),
  nextScheduledTime: nullable('string', 'Null when it is inactive or has no schedule.'),
  active: flag('Whether its schedule runs.'),
  token: object({ id: { type: 'integer' }, description: { type: 'string' }, isDisabled: { type: 'boolean' } }, [
    'id',
    'description',
  ]),
  uri: { type: 'string' },
  notifications: list(notification),
  lastExecutedJob: {
    type: ['object', 'null'],
    properties: {
      id: { type: 'integer' },
      status: { type: 'string' },
      startTime: nullable('string', 'Null until it begins.'),
      endTime: nullable('string', 'Null until it ends.'),
      createdTime: { type: 'string' },
      initializedBy: { type: 'string', enum: ['manually', 'scheduler', 'trigger'] },
    },
  },
};
const always = Object.keys(summaryFields);

export const summaries = list(object({ ...summaryFields, ...ownSettings }, always));
export const detail = object({ ...summaryFields, tasks: list(task), ...ownSettings }, [...always, 'tasks']);
export const tasks = list(task);
export const sentTasks = list(sentTask);
export const notifications = list(notification);

const fields = {
  name: summaryFields.name,
  crontabRecord: summaryFields.crontabRecord,
  active: summaryFields.active,
  tokenId: { type: ['integer', 'string'], description: 'The token that its jobs act with.' },
  notifications,
  tasks: sentTasks,
  ...ownSettings,
};
export const creation = object(fields, ['name']);
export const change = object(fields, []);
