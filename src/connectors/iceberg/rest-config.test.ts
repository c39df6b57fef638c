import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Failure } from '../../errors.ts';
import type { CatalogConfig } from './config.ts';
import { readConfig } from './config.ts';

const base = { catalog_type: 'rest', rest_catalog_url: 'https://catalog.example/api', iceberg_s3_path: '/lake' };
const catalogOf = (writer: object): CatalogConfig => readConfig({ writer: { ...base, ...writer } }).catalog;
const credentialsOf = (writer: object): unknown => (catalogOf(writer) as { credentials: unknown }).credentials;

describe('the configuration of a REST catalog', () => {
  it('names the catalog and its warehouse, by default the path of the files', () => {
    assert.deepEqual(catalogOf({}), {
      type: 'rest',
      url: 'https://catalog.example/api',
      warehouse: '/lake',
      credentials: { type: 'none' },
    });
    assert.equal((catalogOf({ warehouse: 'main' }) as { warehouse: string }).warehouse, 'main');
  });

  it('says how to sign in', () => {
    assert.deepEqual(credentialsOf({ rest_auth_type: 'Token', token: 't' }), { type: 'token', token: 't' });
    assert.deepEqual(credentialsOf({ token: 't' }), { type: 'token', token: 't' });
    const oauth = { rest_auth_type: 'OAuth2', credential: 'id:s', oauth2_uri: 'https://a.example/token', scope: 'x' };
    assert.deepEqual(credentialsOf(oauth), {
      type: 'oauth2',
      credential: 'id:s',
      uri: 'https://a.example/token',
      scope: 'x',
    });
    const keys = { aws_access_key: 'a', aws_secret_key: 'b', aws_region: 'eu-west-1' };
    assert.deepEqual(credentialsOf({ rest_signing_v_4: true, rest_signing_name: 'glue', ...keys }), {
      type: 'signature',
      keys: { service: 'glue', region: 'eu-west-1', accessKey: 'a', secretKey: 'b' },
    });
  });

  it('has presets: what unity does not take is left out of its tables', () => {
    const unity = { catalog_type: 'unity', rest_auth_type: 'PAT', token: 't' };
    assert.equal(readConfig({ writer: { ...base, ...unity } }).appendsOnly, true);
    assert.deepEqual(credentialsOf(unity), { type: 'token', token: 't' });
    for (const catalog_type of ['lakekeeper', 'nessie', 'polaris']) {
      assert.equal(catalogOf({ catalog_type, aws_region: 'eu-west-1' }).type, 'rest');
    }
  });

  it('is refused with the field that is wrong', () => {
    const wrong: Record<string, object> = {
      rest_catalog_url: { rest_catalog_url: 'catalog.example' },
      token: { rest_auth_type: 'Token' },
      credential: { rest_auth_type: 'OAuth2' },
      oauth2_uri: { credential: 'a:b', oauth2_uri: 'nowhere' },
      rest_auth_type: { rest_auth_type: 'Kerberos' },
      aws_region: { catalog_type: 'polaris' },
      aws_access_key: { rest_signing_v_4: true },
    };
    for (const [field, writer] of Object.entries(wrong)) {
      assert.throws(
        () => catalogOf(writer),
        (error: Failure) => error.kind === 'configuration_invalid' && error.details[0]?.field === field,
      );
    }
  });
});
