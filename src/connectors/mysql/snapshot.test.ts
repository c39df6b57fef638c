import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { parseConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { openSnapshots, readEnd, type SnapshotFacts } from './snapshot.ts';

const { signal } = new AbortController();

let source: TestMariadb;

before(async () => {
  source = await startTestMariadb();
  await source.run(`create table counted (id int primary key auto_increment); insert into counted values ();
    create user small@'%' identified by 'p'; grant select on shop.* to small@'%'; grant binlog monitor on *.* to small@'%'`);
});
after(() => source?.stop());

/** Opens snapshots on three readers, as the other kind of server needs it when `flavor` says so. */
async function open(username: string, flavor: Connection['server']['flavor']) {
  const account = username === 'small' ? { username, password: 'p' } : {};
  const config = parseConfig({ ...source.config, ...account });
  const opened = await Promise.all([1, 2, 3, 4].map(() => connect(config, signal)));
  const asked = opened.map((one): Connection => ({ ...one, server: { ...one.server, flavor, version: 80_000 } }));
  const [control, ...readers] = asked as [Connection, ...Connection[]];
  const warnings: string[] = [];
  const end = await readEnd(control);
  const facts: SnapshotFacts = await openSnapshots(readers, control, ({ message }) => void warnings.push(message));
  await source.run('insert into shop.counted values ()');
  const counts = await Promise.all(
    [...readers, ...(facts.controlShares ? [control] : [])].map(
      async ({ query }) => (await query('select count(*) from counted'))[0]?.[0],
    ),
  );
  await Promise.all(opened.map((connection) => connection.close()));
  return { facts, end, counts: new Set(counts), warnings };
}

describe('snapshots of several readers', () => {
  it('are one moment without any lock where the server tells the place of each', async () => {
    const { facts, end, counts, warnings } = await open('small', 'mariadb');
    assert.deepEqual(facts, { place: end, shared: true, controlShares: true });
    assert.equal(counts.size, 1);
    assert.deepEqual(warnings, []);
  });

  it('are one moment under a short lock where it does not, and writers go on afterwards', async () => {
    const { facts, end, counts, warnings } = await open('penstock', 'mysql');
    assert.deepEqual(facts, { place: end, shared: true, controlShares: true });
    assert.equal(counts.size, 1);
    assert.deepEqual(warnings, []);
  });

  it('begin before the file of the log when writers may not be locked out, and that is said', async () => {
    const { facts, end, warnings } = await open('small', 'mysql');
    assert.deepEqual(facts, { place: { file: end.file, offset: 4 }, shared: false, controlShares: false });
    assert.match(warnings.join('\n'), /grant RELOAD/);
  });

  it('give up on the lock when a writer holds it off for long', async () => {
    await source.run('begin; update counted set id = id + 1000 order by id desc; lock tables counted write');
    const config = parseConfig(source.config);
    const [control, reader] = await Promise.all([connect(config, signal), connect(config, signal)]);
    const asMysql = (one: Connection): Connection => ({
      ...one,
      server: { ...one.server, flavor: 'mysql', version: 80_000 },
    });
    const facts = await openSnapshots([asMysql(reader)], asMysql(control), () => undefined);
    assert.equal(facts.place?.offset, 4);
    await source.run('unlock tables');
    await Promise.all([control.close(), reader.close()]);
  });
});
