import type { ConnectorSpec } from '../kit/index.ts';

interface Property {
  readonly type: 'string' | 'boolean' | 'object';
  readonly title: string;
  readonly [key: string]: unknown;
}

const field = (title: string, more: Readonly<Record<string, unknown>> = {}): Property => ({
  type: 'string',
  title,
  ...more,
});

const secret = (title: string): Property => field(title, { format: 'password' });

const region = field('AWS region');

const rest = { rest_catalog_url: field('REST catalog URL') };
const restAuthentication = {
  rest_auth_type: field('Authentication', { enum: ['None', 'OAuth2', 'Token'], default: 'None' }),
  token: secret('Token'),
  credential: secret('Credential (id:secret)'),
  oauth2_uri: field('OAuth2 URI'),
  scope: field('Scope'),
};
const signing = {
  rest_signing_name: field('Signing name'),
  rest_signing_region: field('Signing region'),
  rest_signing_v_4: { type: 'boolean', title: 'Sign requests (SigV4)', default: false },
};

interface CatalogForm {
  readonly title: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required: readonly string[];
}

/** The extra keys of each catalog (OLake contract, section 6). */
const catalogForms: Readonly<Record<string, CatalogForm>> = {
  builtin: { title: 'Built-in catalog', properties: {}, required: [] },
  jdbc: {
    title: 'JDBC catalog',
    properties: {
      jdbc_url: field('JDBC URL', { description: 'jdbc:postgresql://host:port/database or jdbc:sqlite:/path' }),
      jdbc_username: field('User name'),
      jdbc_password: secret('Password'),
      catalog_name: field('Catalog name', { pattern: '^[a-z_]+$', default: 'olake_iceberg' }),
    },
    required: ['jdbc_url', 'iceberg_s3_path'],
  },
  rest: {
    title: 'REST catalog',
    properties: {
      ...rest,
      warehouse: field('Warehouse name'),
      ...restAuthentication,
      ...signing,
    },
    required: ['rest_catalog_url', 'iceberg_s3_path'],
  },
  lakekeeper: restPreset('Lakekeeper', []),
  nessie: restPreset('Nessie', ['aws_region']),
  polaris: restPreset('Polaris', ['aws_region']),
  unity: {
    title: 'Unity catalog',
    properties: {
      ...rest,
      ...restAuthentication,
      rest_auth_type: field('Authentication', { enum: ['OAuth2 U2M', 'OAuth2 M2M', 'Token Federation', 'PAT'] }),
    },
    required: ['rest_catalog_url', 'rest_auth_type', 'iceberg_s3_path'],
  },
  s3tables: {
    title: 'S3 Tables',
    properties: { ...rest, ...signing },
    required: ['rest_catalog_url', 'rest_signing_region', 'aws_region', 'iceberg_s3_path'],
  },
  glue: {
    title: 'AWS Glue',
    properties: { glue_additional_config: { type: 'object', title: 'Further Glue settings' } },
    required: ['aws_region', 'iceberg_s3_path'],
  },
  biglake: {
    title: 'BigLake',
    properties: {
      ...rest,
      gcp_service_account_json: secret('Service account (JSON)'),
      gcp_auth_scopes: field('Scopes'),
      gcp_project_id: field('Project'),
    },
    required: ['rest_catalog_url', 'gcp_service_account_json', 'iceberg_s3_path'],
  },
  hive: {
    title: 'Hive metastore',
    properties: {
      hive_uri: field('Metastore URI'),
      hive_clients: { type: 'integer', title: 'Clients', default: 5 },
      hive_sasl_enabled: { type: 'boolean', title: 'SASL', default: false },
    },
    required: ['hive_uri', 'hive_clients', 'aws_region', 'iceberg_s3_path'],
  },
};

function restPreset(title: string, more: readonly string[]): CatalogForm {
  return {
    title,
    properties: { ...rest, ...restAuthentication },
    required: ['rest_catalog_url', 'rest_auth_type', 'iceberg_s3_path', ...more],
  };
}

export const catalogWords = Object.keys(catalogForms);

const common = {
  iceberg_s3_path: field('Warehouse', {
    description: 'Folder of this server, file:// URL or s3://bucket/path; tables lie in <warehouse>/<database>/<table>',
  }),
  aws_region: region,
  aws_access_key: field('AWS access key'),
  aws_secret_key: secret('AWS secret key'),
  s3_endpoint: field('S3 endpoint'),
  s3_path_style: { type: 'boolean', title: 'Path-style addressing', default: true },
  s3_use_ssl: { type: 'boolean', title: 'Use TLS', default: false },
  no_identifier_fields: {
    type: 'boolean',
    title: 'No identifier fields',
    description: 'For engines without equality deletes: every change becomes a further row',
    default: false,
  },
  deletes: field('Rows deleted at the source', {
    description: 'mark keeps them with _op_type d; apply removes them',
    enum: ['mark', 'apply'],
    default: 'mark',
  }),
  delete_mode: field('How older rows are removed', {
    enum: ['equality', 'position', 'copy_on_write'],
    description: 'equality is fastest to write; position and copy_on_write are for engines without equality deletes',
    default: 'equality',
  }),
};

/** The form of an Iceberg destination, with the asked catalog chosen first. */
export function icebergSpec(asked = 'builtin'): ConnectorSpec {
  const chosen = catalogWords.includes(asked) ? asked : 'builtin';
  const choices = Object.entries(catalogForms).map(([word, form]) => ({
    properties: { catalog_type: { const: word, title: form.title }, ...form.properties },
    required: ['catalog_type', ...form.required],
  }));
  const writer = {
    type: 'object',
    title: 'Writer',
    properties: {
      catalog_type: { type: 'string', title: 'Catalog', enum: catalogWords, default: chosen },
      ...common,
    },
    required: ['catalog_type'],
    dependencies: { catalog_type: { oneOf: choices } },
  };
  return {
    jsonschema: {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      title: 'Apache Iceberg',
      properties: { type: { type: 'string', const: 'ICEBERG', default: 'ICEBERG' }, writer },
      required: ['writer'],
    },
    uischema: {
      type: { 'ui:widget': 'hidden' },
      writer: {
        'ui:order': ['catalog_type', 'iceberg_s3_path', '*'],
        aws_secret_key: { 'ui:widget': 'password' },
        jdbc_password: { 'ui:widget': 'password' },
        token: { 'ui:widget': 'password' },
        credential: { 'ui:widget': 'password' },
      },
    },
  };
}
