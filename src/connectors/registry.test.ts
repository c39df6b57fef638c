import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceConnector } from './kit/index.ts';
import { createConnectors, findSource } from './index.ts';

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
