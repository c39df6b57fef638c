import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import { holdsMask, MASK, maskSecrets, resolveMasks } from './masking.ts';

const schema = {
  properties: {
    password: { type: 'string', format: 'password' },
    odd: { type: 'string', format: 'password' },
    writer: { oneOf: [{ properties: { kind: { const: 'a' }, hidden: { format: 'password' } } }] },
    list: { type: 'array', items: { properties: { inner: { format: 'password' } } } },
  },
};

const stored = {
  host: 'h',
  password: 'p',
  odd: 'o',
  writer: { kind: 'a', hidden: 'w' },
  list: [{ inner: 'i', open: 1 }],
  unknown: { deep: { client_key: 'k', clientKey: 'k2', 'Private-Key': 'k3' } },
  url: 'postgres://user:p%40ss@host:5432/db',
  plain: 'http://host:8080/path',
  jdbc: 'jdbc:mysql://host/db?user=u&password=q&ssl=true',
  token: { nested: 'whole object' },
  empty_token: '',
  use_secret: true,
};

describe('masking a config', () => {
  const masked = maskSecrets(stored, schema);

  it('hides secrets of the schema, of telling keys at any depth and of URLs, and nothing else', () => {
    assert.deepEqual(masked, {
      host: 'h',
      password: MASK,
      odd: MASK,
      writer: { kind: 'a', hidden: MASK },
      list: [{ inner: MASK, open: 1 }],
      unknown: { deep: { client_key: MASK, clientKey: MASK, 'Private-Key': MASK } },
      url: `postgres://user:${MASK}@host:5432/db`,
      plain: 'http://host:8080/path',
      jdbc: `jdbc:mysql://host/db?user=u&password=${MASK}&ssl=true`,
      token: MASK,
      empty_token: '',
      use_secret: true,
    });
  });

  it('gives the stored config back when the masked one is sent', () => {
    assert.deepEqual(resolveMasks(masked, stored, schema), stored);
  });

  it('keeps stored secrets beside new values', () => {
    const changed = { ...masked, host: 'other', url: `postgres://user:${MASK}@elsewhere/db`, odd: 'new' };
    const resolved = resolveMasks(changed, stored, schema);
    assert.equal(resolved['url'], 'postgres://user:p%40ss@elsewhere/db');
    assert.deepEqual([resolved['host'], resolved['odd'], resolved['password']], ['other', 'new', 'p']);
  });

  it('refuses a mask that stands for nothing', () => {
    for (const config of [{ password: MASK }, { url: `http://u:${MASK}@h/` }, { a: [{ token: MASK }] }]) {
      assert.ok(holdsMask(config, schema));
      assert.throws(
        () => resolveMasks(config, { other: 1 }, schema),
        (error) => error instanceof Failure && error.kind === 'bad_request',
      );
    }
    assert.ok(!holdsMask({ host: MASK, password: 'real' }, schema));
  });

  it('is not misled by prototype keys', () => {
    const hostile = JSON.parse('{"__proto__":{"password":"x"},"password":"y"}') as Record<string, unknown>;
    assert.equal(
      JSON.stringify(maskSecrets(hostile, schema)),
      `{"__proto__":{"password":"${MASK}"},"password":"${MASK}"}`,
    );
    assert.equal(({} as Record<string, unknown>)['password'], undefined);
  });
});

it('a value under a free name is a secret when the schema says so of all of them; signed addresses hide their signature', () => {
  const free = {
    properties: { headers: { type: 'object', additionalProperties: { type: 'string', format: 'password' } } },
  };
  const config = { headers: { 'X-Key': 'k' }, url: 'https://h/a.csv?X-Amz-Date=1&X-Amz-Signature=abc' };
  const masked = maskSecrets(config, free);
  assert.deepEqual(masked, { headers: { 'X-Key': MASK }, url: `https://h/a.csv?X-Amz-Date=1&X-Amz-Signature=${MASK}` });
  assert.deepEqual(resolveMasks(masked, config, free), config);
});
