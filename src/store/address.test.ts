import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { sharedServerUrl } from '../../test/support/database.ts';
import { createWorld } from '../world.ts';
import { connectStore } from './index.ts';

const FOREIGN: Readonly<Record<string, string>> = {
  PGOPTIONS: '-c default_transaction_read_only=on -c search_path=nowhere',
  // A socket has no TLS; another server of the tests may not have it either.
  PGSSLMODE: process.env['TEST_POSTGRES_URL'] ? 'disable' : 'require',
  PGCLIENT_ENCODING: 'LATIN1',
  PGDATABASE: 'nowhere',
};
for (const [name, value] of Object.entries(FOREIGN)) process.env[name] = value;
after(() => {
  for (const name of Object.keys(FOREIGN)) delete process.env[name];
});

it('goes by the URL alone, whatever variables of PostgreSQL the environment holds', async (test) => {
  const url = await sharedServerUrl();
  const store = await connectStore({ url, world: createWorld() });
  test.after(() => store.close());
  const { rows } = await store.pool.query(`select current_setting('search_path') as path,
    current_setting('default_transaction_read_only') as read_only, current_setting('client_encoding') as encoding`);
  assert.deepEqual(rows, [{ path: '"$user", public', read_only: 'off', encoding: 'UTF8' }]);
  await store.listen('address_test', () => undefined);
});
