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
        initial_wait_time: { type: 'integer', title: 'Initial wait time (seconds)', minimum: 0, default: 10 },
        server_id: {
          type: 'integer',
          title: 'Server id',
          minimum: 1,
          maximum: 4_294_967_295,
          description: 'Number of this replica, unlike any other of the server; empty = a random one',
        },
      },
      required: ['type'],
    },
  ],
};

const properties = {
  hosts: serverFields.host,
  port: portField(3306),
  ...serverFields.account,
  ssl: serverFields.ssl,
  update_method: updateMethod,
  ssh_config: serverFields.tunnel,
  ...serverFields.pace,
};

/** The form of a MySQL or MariaDB source (OLake contract, section 6). */
export const mysqlSpec: ConnectorSpec = {
  jsonschema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    title: 'MySQL and MariaDB',
    properties,
    required: ['hosts', 'port', 'database', 'username', 'password'],
  },
  uischema: {
    'ui:grid': [
      { hosts: 12, port: 12 },
      { database: 12, username: 12 },
      { password: 12 },
      { max_threads: 12, retry_count: 12 },
      { ssl: 24 },
      { update_method: 24 },
      { ssh_config: 24 },
      { jdbc_url_params: 24 },
    ],
    ...serverHints,
  },
};
