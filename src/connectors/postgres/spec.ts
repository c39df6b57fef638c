import { portField, serverFields, serverHints, type ConnectorSpec } from '../kit/index.ts';

const updateMethod = {
  type: 'object',
  title: 'Update method',
  default: { type: 'Standalone' },
  oneOf: [
    { title: 'Standalone', properties: { type: { const: 'Standalone' } }, required: ['type'] },
    {
      title: 'CDC',
      properties: {
        type: { const: 'CDC' },
        replication_slot: { type: 'string', title: 'Replication slot' },
        publication: { type: 'string', title: 'Publication' },
        initial_wait_time: {
          type: 'integer',
          title: 'Initial wait time (seconds)',
          minimum: 0,
          default: 120,
          description: 'In which the first message of the log must come: at least 120; 0 = three hours',
        },
        create_missing: {
          type: 'boolean',
          title: 'Create what is missing',
          default: false,
          description: 'Makes the publication of the selected tables, and the slot, when they do not exist',
        },
      },
      required: ['type', 'replication_slot', 'publication'],
    },
  ],
};

const properties = {
  host: serverFields.host,
  port: portField(5432),
  ...serverFields.account,
  ssl: serverFields.ssl,
  schemas: {
    type: 'array',
    title: 'Schemas',
    items: { type: 'string', minLength: 1 },
    description: 'Limits discovery; empty = all',
  },
  update_method: updateMethod,
  ssh_config: serverFields.tunnel,
  ...serverFields.pace,
};

/** The form of a PostgreSQL source (OLake contract, section 6). */
export const postgresSpec: ConnectorSpec = {
  jsonschema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    title: 'PostgreSQL',
    properties,
    required: ['host', 'port', 'database', 'username', 'password'],
  },
  uischema: {
    'ui:grid': [
      { host: 12, port: 12 },
      { database: 12, username: 12 },
      { password: 12, schemas: 12 },
      { max_threads: 12, retry_count: 12 },
      { ssl: 24 },
      { update_method: 24 },
      { ssh_config: 24 },
      { jdbc_url_params: 24 },
    ],
    ...serverHints,
  },
};
