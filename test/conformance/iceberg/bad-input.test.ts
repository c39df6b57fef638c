import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, startCatalog, type CatalogRig } from './rig.ts';

let rig: CatalogRig;
before(async () => {
  rig = await startCatalog();
  await call(rig, 'POST /v1/p/namespaces', { body: { namespace: ['n'] } });
  const made = await call(rig, 'POST /v1/p/namespaces/n/tables', { body: { name: 't', schema: schemaOf({}) } });
  assert.equal(made.status, 200, made.text);
});
after(() => rig.close());

const schemaOf = (more: object): object => ({
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: true, type: 'long', ...more }],
});

const big = '123456789012345678901234567890';
/** Values that fit nowhere; as text, since some are no JavaScript values. */
const values = [
  'null',
  '[]',
  '{}',
  '""',
  '0',
  '-1',
  '1.5',
  '1e400',
  big,
  'true',
  '"\\ud800"',
  '{"a":[null]}',
  `[${big}]`,
];

async function expectRefusalOrAnswer(line: string, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${rig.tokens.admin}`, 'content-type': 'application/json' };
  const answer = await call(rig, line, { body, headers });
  const what = `${line} ${body} → ${answer.status} ${answer.text}`;
  assert.ok(answer.status < 500, what);
  if (answer.status < 400) return;
  const { error } = answer.body as unknown as { error?: { code?: number; type?: string; message?: string } };
  assert.equal(error?.code, answer.status, what);
  assert.ok(error?.type && error.message, what);
}

describe('input that nobody should send', () => {
  it('in place of any member of a commit is refused in the form of the protocol, never our defect', async () => {
    const updates: Record<string, string[]> = {
      'assign-uuid': ['uuid'],
      'upgrade-format-version': ['format-version'],
      'add-schema': ['schema', 'last-column-id'],
      'set-current-schema': ['schema-id'],
      'remove-schemas': ['schema-ids'],
      'add-spec': ['spec'],
      'set-default-spec': ['spec-id'],
      'remove-partition-specs': ['spec-ids'],
      'add-sort-order': ['sort-order'],
      'set-default-sort-order': ['sort-order-id'],
      'add-snapshot': ['snapshot'],
      'set-snapshot-ref': ['ref-name', 'type', 'snapshot-id'],
      'remove-snapshots': ['snapshot-ids'],
      'remove-snapshot-ref': ['ref-name'],
      'set-location': ['location'],
      'set-properties': ['updates'],
      'remove-properties': ['removals'],
      'set-statistics': ['statistics'],
      'remove-statistics': ['snapshot-id'],
      'set-partition-statistics': ['partition-statistics'],
      'remove-partition-statistics': ['snapshot-id'],
    };
    const requirement = '{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null}';
    for (const [action, keys] of Object.entries(updates)) {
      for (const key of keys) {
        const bodies = values.map((value) => `{"updates":[{"action":"${action}","${key}":${value}}]}`);
        await Promise.all(bodies.map((body) => expectRefusalOrAnswer('POST /v1/p/namespaces/n/tables/t', body)));
      }
    }
    for (const value of values) {
      await expectRefusalOrAnswer('POST /v1/p/namespaces/n/tables/t', `{"requirements":${value},"updates":${value}}`);
      await expectRefusalOrAnswer('POST /v1/p/namespaces/n/tables/t', `{"requirements":[${value}],"updates":[]}`);
      const snapshot = `{"snapshot-id":${value},"timestamp-ms":${value},"manifest-list":${value},"summary":${value}}`;
      const body = `{"requirements":[${requirement}],"updates":[{"action":"add-snapshot","snapshot":${snapshot}}]}`;
      await expectRefusalOrAnswer('POST /v1/p/namespaces/n/tables/t', body);
    }
    assert.equal((await call(rig, 'GET /v1/p/namespaces/n/tables/t')).status, 200);
  });

  it('in place of any other body or member is refused, too', async () => {
    const lines: Record<string, string[]> = {
      'POST /v1/p/namespaces': ['namespace', 'properties'],
      'POST /v1/p/namespaces/n/properties': ['updates', 'removals'],
      'POST /v1/p/namespaces/n/tables': ['name', 'schema', 'location', 'partition-spec', 'write-order', 'properties'],
      'POST /v1/p/namespaces/n/register': ['name', 'metadata-location'],
      'POST /v1/p/tables/rename': ['source', 'destination'],
      'POST /v1/p/transactions/commit': ['table-changes'],
      'POST /v1/oauth/tokens': ['grant_type'],
    };
    const fine = { name: 'x', schema: schemaOf({}), namespace: ['n'], 'metadata-location': '/x' };
    for (const [line, keys] of Object.entries(lines)) {
      for (const value of values) {
        if (!line.endsWith('tokens')) await expectRefusalOrAnswer(line, value);
        for (const key of keys) {
          const rest = JSON.stringify({ ...fine, name: `x${Math.abs(value.length)}`, [key]: undefined }).slice(1);
          if (!line.endsWith('tokens')) await expectRefusalOrAnswer(line, `{"${key}":${value},${rest}`);
        }
      }
    }
  });

  it('of great length or number is refused', async () => {
    const long = 'x'.repeat(3000);
    const table = 'POST /v1/p/namespaces/n/tables';
    const bodies = [
      { name: long, schema: schemaOf({}) },
      { name: 'l', schema: schemaOf({}), location: `${rig.folder}/warehouse/p/${'d/'.repeat(600)}t` },
      { name: 'l', schema: schemaOf({}), location: `${rig.folder}/warehouse/p/${'d'.repeat(300)}` },
    ];
    for (const body of bodies) {
      const { status, text } = await call(rig, table, { body });
      assert.equal(status, 400, text.slice(0, 300));
    }
    const kept = await call(rig, table, { body: { name: 'numbers', schema: schemaOf({ doc: 'kept', note: 1 }) } });
    assert.equal(kept.status, 200);
    await expectRefusalOrAnswer(
      table,
      `{"name":"huge","schema":{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"long","x":${big}}]}}`,
    );
    const odd = `{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"long","x":${big}}]}`;
    const twice = `{"updates":[{"action":"add-schema","schema":${odd}},{"action":"add-schema","schema":${odd}}]}`;
    await expectRefusalOrAnswer('POST /v1/p/namespaces/n/tables/t', twice);
    const updates = Array.from({ length: 10_001 }, () => ({ action: 'remove-properties', removals: [] }));
    assert.equal((await call(rig, 'POST /v1/p/namespaces/n/tables/t', { body: { updates } })).status, 400);
    assert.equal((await call(rig, `GET /v1/${long}/namespaces`)).status, 400);
    assert.equal((await call(rig, 'GET /v1/p/namespaces?pageSize=-1')).status, 400);
    assert.equal((await call(rig, 'GET /v1/p/namespaces/n/tables/t?snapshots=some')).status, 400);
  });
});
