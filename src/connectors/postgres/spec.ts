import type { ConnectorSpec } from '../kit/index.ts';

const secret = (title: string, description: string) => ({ type: 'string', format: 'password', title, description });

const sslProperties = {
  mode: {
    type: 'string',
    title: 'Mode',
    enum: ['disable', 'require', 'verify-ca', 'verify-full'],
    default: 'disable',
    description: 'disable: no TLS; require: TLS without a check of the certificate; verify-ca, verify-full: checked',
  },
  server_ca: { type: 'string', title: 'Server CA', description: 'PEM text of the authority; needed for verify-*' },
  client_cert: { type: 'string', title: 'Client certificate', description: 'PEM text' },
  client_key: secret('Client key', 'PEM text'),
};

const tunnelHost = {
  host: { type: 'string', title: 'SSH host' },
  port: { type: 'integer', title: 'SSH port', default: 22, minimum: 1, maximum: 65535 },
  username: { type: 'string', title: 'SSH user' },
  host_key: { type: 'string', title: 'Host key', description: 'Verified when given' },
};

const sshConfig = {
  type: 'object',
  title: 'SSH tunnel',
  default: { type: 'no_tunnel' },
  oneOf: [
    { title: 'No tunnel', properties: { type: { const: 'no_tunnel' } }, required: ['type'] },
    {
      title: 'Key',
      properties: {
        type: { const: 'ssh_key_authentication' },
        ...tunnelHost,
        private_key: secret('Private key', 'PEM text'),
        passphrase: secret('Passphrase', 'Of the private key, when it has one'),
      },
      required: ['type', 'host', 'port', 'username', 'private_key'],
    },
    {
      title: 'Password',
      properties: {
        type: { const: 'ssh_password_authentication' },
        ...tunnelHost,
        password: secret('SSH password', 'Of the user on the tunnel host'),
      },
      required: ['type', 'host', 'port', 'username', 'password'],
    },
  ],
};

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
  host: { type: 'string', title: 'Host', minLength: 1, description: 'Name or address, without http' },
  port: { type: 'integer', title: 'Port', default: 5432, minimum: 1, maximum: 65535 },
  database: { type: 'string', title: 'Database', minLength: 1 },
  username: { type: 'string', title: 'User', minLength: 1 },
  password: secret('Password', 'Of the user'),
  jdbc_url_params: {
    type: 'object',
    title: 'Extra options',
    additionalProperties: { type: ['string', 'number', 'boolean'] },
  },
  ssl: { type: 'object', title: 'TLS', properties: sslProperties, default: { mode: 'disable' } },
  schemas: {
    type: 'array',
    title: 'Schemas',
    items: { type: 'string', minLength: 1 },
    description: 'Limits discovery; empty = all',
  },
  update_method: updateMethod,
  ssh_config: sshConfig,
  max_threads: {
    type: 'integer',
    title: 'Threads',
    default: 3,
    minimum: 1,
    description: 'Chunks read at the same time',
  },
  retry_count: { type: 'integer', title: 'Retries', default: 3, minimum: 0 },
};

const hidden = { 'ui:options': { label: false, description: false } };

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
    password: { 'ui:widget': 'password' },
    ssl: {
      'ui:grid': [{ mode: 24 }, { server_ca: 24 }, { client_cert: 12, client_key: 12 }],
      mode: { 'ui:widget': 'select' },
      server_ca: { 'ui:widget': 'textarea' },
      client_cert: { 'ui:widget': 'textarea' },
      client_key: { 'ui:widget': 'textarea' },
    },
    update_method: hidden,
    ssh_config: { ...hidden, private_key: { 'ui:widget': 'textarea' } },
  },
};
