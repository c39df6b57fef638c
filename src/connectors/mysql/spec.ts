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
  hosts: { type: 'string', title: 'Host', minLength: 1, description: 'Name or address, without http' },
  port: { type: 'integer', title: 'Port', default: 3306, minimum: 1, maximum: 65535 },
  database: { type: 'string', title: 'Database', minLength: 1 },
  username: { type: 'string', title: 'User', minLength: 1 },
  password: secret('Password', 'Of the user'),
  jdbc_url_params: {
    type: 'object',
    title: 'Extra options',
    additionalProperties: { type: ['string', 'number', 'boolean'] },
  },
  ssl: { type: 'object', title: 'TLS', properties: sslProperties, default: { mode: 'disable' } },
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
