import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceConnector } from './kit/index.ts';
import { createConnectors, findSource, loadConnectors, loadConnectorsOf } from './index.ts';

const pretend = { kind: 'source', type: 'postgres', synonyms: ['postgresql'] } as unknown as SourceConnector;

test('a connector is found by its type and synonyms, whatever the case', async () => {
  assert.equal((await findSource('PostgreSQL')).type, 'postgres');
  assert.equal((await findSource('postgres')).kind, 'source');
});

test('a type without a folder is refused with the list of those that exist', () => {
  const connectors = createConnectors([pretend]);
  assert.throws(() => connectors.findSource('MySQL'), { message: '"mysql" is not available; available: postgres' });
  assert.throws(() => connectors.findSource('foo'), {
    kind: 'bad_request',
    message: 'unknown source type "foo"; available: postgres',
  });
  assert.throws(() => connectors.findDestination('postgres'), { kind: 'bad_request' });
});

test('a process that needs some connectors loads no others, and each lies in the folder of its type', async () => {
  const { sources, destinations } = await loadConnectors();
  for (const { kind, type } of [...sources, ...destinations]) {
    const some = await loadConnectorsOf([type]);
    const found = [...some.sources, ...some.destinations];
    assert.deepEqual(
      found.map((connector) => `${connector.kind} ${connector.type}`),
      [`${kind} ${type}`],
    );
  }
});

test('all connectors are loaded where a type is not the name of a folder', async () => {
  const { sources } = await loadConnectorsOf(['postgres', '../sync']);
  assert.equal(sources.length, (await loadConnectors()).sources.length);
});
