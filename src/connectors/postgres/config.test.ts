import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import type { Failure } from '../../errors.ts';
import { parseConfig } from './config.ts';
import { connector } from './index.ts';

const VALID = { host: 'db.example', port: 5432, database: 'shop', username: 'reader', password: 'p' };

describe('a postgres configuration', () => {
  it('has defaults and ignores unknown keys and older spellings', () => {
    const config = parseConfig({ ...VALID, reader_batch_size: 10, default_mode: 'full_refresh', anything: {} });
    assert.deepEqual(config, {
      ...VALID,
      ssl: { mode: 'disable' },
      schemas: [],
      maxThreads: 3,
      wantsChanges: false,
    });
    assert.equal(parseConfig({ ...VALID, default_mode: 'cdc' }).wantsChanges, true);
    assert.equal(
      parseConfig({ ...VALID, update_method: { replication_slot: 's', intial_wait_time: 1 } }).wantsChanges,
      true,
    );
    assert.equal(connector.databaseWord(VALID), 'shop');
  });

  const wrong: [string, object][] = [
    ['host', { host: 'http://db.example' }],
    ['host', { host: ' ' }],
    ['port', { port: 0 }],
    ['port', { port: 65536 }],
    ['port', { port: 'x' }],
    ['database', { database: undefined }],
    ['username', { username: '' }],
    ['password', { password: 5 }],
    ['schemas', { schemas: ['a', ' '] }],
    ['schemas', { schemas: 'a' }],
    ['ssl.mode', { ssl: { mode: 'maybe' } }],
    ['ssl.server_ca', { ssl: { mode: 'verify-full' } }],
    ['ssl.server_ca', { ssl: { mode: 'verify-ca', server_ca: '/etc/ca.pem' } }],
    ['ssl.client_cert', { ssl: { mode: 'require', client_cert: '-----BEGIN CERTIFICATE-----' } }],
    ['max_threads', { max_threads: 0 }],
    ['update_method.type', { update_method: { type: 'Magic' } }],
  ];
  for (const [field, change] of wrong) {
    it(`names ${field} when it is ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => parseConfig({ ...VALID, ...change }),
        (error: Failure) => error.kind === 'configuration_invalid' && error.details[0]?.field === field,
      );
    });
  }

  it('is described by a schema that accepts what works and marks the secrets', () => {
    const { jsonschema } = connector.spec();
    const validate = new Ajv({ strict: false, formats: { password: true } }).compile(jsonschema);
    assert.ok(
      validate({ ...VALID, ssh_config: { type: 'no_tunnel' }, update_method: { type: 'Standalone' }, other: 1 }),
    );
    assert.ok(!validate({ ...VALID, host: undefined }));
    assert.ok(!validate({ ...VALID, ssh_config: { type: 'ssh_key_authentication' } }));
    const properties = jsonschema['properties'] as Record<string, { format?: string }>;
    assert.equal(properties['password']?.format, 'password');
  });
});
