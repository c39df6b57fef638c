const secret = (title: string, description: string) => ({
  type: 'string',
  format: 'password',
  title,
  description,
});

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

const tunnel = {
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

export const portField = (usual: number) => ({
  type: 'integer',
  title: 'Port',
  default: usual,
  minimum: 1,
  maximum: 65535,
});

/** What the forms of sources that are database servers have in common (OLake contract, section 6). */
export const serverFields = {
  host: { type: 'string', title: 'Host', minLength: 1, description: 'Name or address, without http' },
  account: {
    database: { type: 'string', title: 'Database', minLength: 1 },
    username: { type: 'string', title: 'User', minLength: 1 },
    password: secret('Password', 'Of the user'),
    jdbc_url_params: {
      type: 'object',
      title: 'Extra options',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
    },
  },
  ssl: { type: 'object', title: 'TLS', properties: sslProperties, default: { mode: 'disable' } },
  tunnel,
  pace: {
    max_threads: {
      type: 'integer',
      title: 'Threads',
      default: 3,
      minimum: 1,
      description: 'Chunks read at the same time',
    },
    retry_count: { type: 'integer', title: 'Retries', default: 3, minimum: 0 },
  },
};

const hidden = { 'ui:options': { label: false, description: false } };

/** Form hints for the fields above, and for the choice of how changes are read. */
export const serverHints = {
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
};
