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
      changes: undefined,
    });
    const older = { replication_slot: 's', publication: 'p', intial_wait_time: 1 };
    const changes = { slot: 's', publication: 'p', initialWait: 120, createMissing: false };
    assert.deepEqual(parseConfig({ ...VALID, update_method: older }).changes, changes);
    const waits = [
      [0, 10_800],
      [121, 121],
      [undefined, 120],
    ] as const;
    for (const [initial_wait_time, initialWait] of waits) {
      const update_method = { type: 'CDC', ...older, initial_wait_time, create_missing: true };
      const expected = { ...changes, createMissing: true, initialWait };
      assert.deepEqual(parseConfig({ ...VALID, update_method }).changes, expected);
    }
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
    ['update_method.replication_slot', { default_mode: 'cdc' }],
    ['update_method.publication', { update_method: { type: 'CDC', replication_slot: 's' } }],
    [
      'update_method.initial_wait_time',
      { update_method: { type: 'CDC', replication_slot: 's', publication: 'p', initial_wait_time: -1 } },
    ],
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
