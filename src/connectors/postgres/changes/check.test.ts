import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readChanges, startTestLog, UPDATE_METHOD, type TestLog } from '../../../../test/support/changes.ts';
import { openSource, startTestSource } from '../../../../test/support/source.ts';
import type { Failure } from '../../../errors.ts';
import { createWorld } from '../../../world.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();
const context = { world: createWorld(), log: () => undefined, signal };

let source: TestLog;

before(async () => {
  source = await startTestLog(connector);
  await source.run(`create table plain (id int primary key, note text); create view seen as select * from plain;
    create table keyless (a int); create table silent (id int primary key); alter table silent replica identity nothing;
    create table other_key (id int primary key, code int not null unique);
    alter table other_key replica identity using index other_key_code_key;
    create table parted (id int primary key) partition by range (id); create table part partition of parted default;
    create publication few for table plain; create publication inserts for table plain with (publish = 'insert');
    create publication narrow for table plain (id); create publication filtered for table plain where (id > 5)`);
  await source.run(`select pg_create_physical_replication_slot('bodily');
    select pg_create_logical_replication_slot('worded', 'test_decoding')`);
  await source.run('create database elsewhere');
});
after(async () => {
  await source?.stop();
});

const configured = (update: object, rest: object = {}) => ({
  ...source.config,
  ...rest,
  update_method: { ...UPDATE_METHOD, ...update },
});

/** What the check of these tables says. */
async function checked(tables: readonly string[], update: object = {}): Promise<Failure | undefined> {
  const opened = await openSource(connector, configured(update));
  try {
    const streams = await Promise.all(tables.map((table) => opened.stream(table)));
    await opened.session.changeLog!.check(streams, { signal });
    return undefined;
  } catch (error) {
    return error as Failure;
  } finally {
    await opened.session.close();
  }
}

describe('the check of what reading changes needs', () => {
  const tables: [string, string, object, string, RegExp][] = [
    [
      'a missing slot',
      'plain',
      { replication_slot: 'nope' },
      'object_missing',
      /slot "nope" does not exist.*pg_create_logical_replication_slot\('nope', 'pgoutput'\)/,
    ],
    [
      'a physical slot',
      'plain',
      { replication_slot: 'bodily' },
      'configuration_invalid',
      /slot "bodily" is a physical one/,
    ],
    [
      'a slot of another plugin',
      'plain',
      { replication_slot: 'worded' },
      'configuration_invalid',
      /"worded" uses the plugin "test_decoding".*pg_drop_replication_slot\('worded'\)/,
    ],
    [
      'a missing publication',
      'plain',
      { publication: 'no"pe' },
      'object_missing',
      /CREATE PUBLICATION "no""pe" FOR TABLE "public"."plain"/,
    ],
    [
      'a table that is not published',
      'other_key',
      { publication: 'few' },
      'object_missing',
      /ALTER PUBLICATION "few" ADD TABLE "public"."other_key"/,
    ],
    [
      'a publication of inserts only',
      'plain',
      { publication: 'inserts' },
      'configuration_invalid',
      /does not publish update and delete and truncate.*SET \(publish =/,
    ],
    [
      'a publication of some columns',
      'plain',
      { publication: 'narrow' },
      'configuration_invalid',
      /"narrow" leaves out "note" of "public"."plain"/,
    ],
    [
      'a table without an identity',
      'silent',
      {},
      'configuration_invalid',
      /ALTER TABLE "public"."silent" REPLICA IDENTITY DEFAULT/,
    ],
    [
      'a table without a key',
      'keyless',
      {},
      'configuration_invalid',
      /ALTER TABLE "public"."keyless" REPLICA IDENTITY FULL/,
    ],
    [
      'an identity that lacks the key',
      'other_key',
      {},
      'configuration_invalid',
      /ALTER TABLE "public"."other_key" REPLICA IDENTITY DEFAULT/,
    ],
    [
      'a partitioned table under the names of its partitions',
      'parted',
      {},
      'configuration_invalid',
      /publish_via_partition_root = true/,
    ],
    ['a view', 'seen', {}, 'configuration_invalid', /"public"."seen" is no table/],
  ];
  for (const [name, table, update, kind, message] of tables) {
    it(`names ${name}, and the remedy`, async () => {
      const failure = await checked([table], update);
      assert.equal(failure?.kind, kind, failure?.message);
      assert.match(failure?.message ?? '', message);
    });
  }

  it('passes when all is there, and is part of the test of the connection', async () => {
    assert.equal(await checked(['plain'], { publication: 'few' }), undefined);
    await connector.check(configured({}), context);
    await assert.rejects(connector.check(configured({ replication_slot: 'nope' }), context), /slot "nope"/);
    await assert.rejects(
      connector.check(configured({}, { database: 'elsewhere' }), context),
      /publication "everything"/,
    );
  });

  it('names the database of the slot, the missing right, and the level of the log', async () => {
    await source.run(
      `create role plain_reader login password 'p'; grant select on all tables in schema public to plain_reader`,
    );
    const user = { username: 'plain_reader', password: 'p' };
    await assert.rejects(connector.check(configured({}, user), context), {
      kind: 'permission_missing',
      message: /ALTER ROLE "plain_reader" REPLICATION/,
    });
    await source.run('create role rds_replication');
    await assert.rejects(connector.check(configured({}, user), context), /GRANT rds_replication TO "plain_reader"/);
    await source.run('grant rds_replication to plain_reader');
    await connector.check(configured({}, user), context);
    const { Client } = await import('pg');
    const url = new URL(source.url);
    url.pathname = '/elsewhere';
    const client = new Client({ connectionString: url.href });
    await client.connect();
    await client.query('create publication everything for all tables');
    await client.end();
    await assert.rejects(
      connector.check(configured({}, { database: 'elsewhere' }), context),
      /belongs to the database/,
    );
    const physical = await startTestSource();
    try {
      const config = { ...physical.config, update_method: UPDATE_METHOD };
      await assert.rejects(
        connector.check(config, context),
        /wal_level "replica".*ALTER SYSTEM SET wal_level = logical/,
      );
    } finally {
      await physical.stop();
    }
  });

  it('warns of a publication that leaves out rows', async () => {
    const opened = await openSource(connector, configured({ publication: 'filtered' }));
    await opened.session.changeLog!.check([await opened.stream('plain')], { signal });
    assert.match(opened.lines.map(({ message }) => message).join(), /publishes only some rows/);
    await opened.session.close();
  });

  it('names a slot that is lost', async () => {
    const statements = [
      "select pg_create_logical_replication_slot('behind', 'pgoutput')",
      "alter system set max_slot_wal_keep_size = '1MB'",
      'select pg_reload_conf()',
    ];
    for (const sql of statements) await source.run(sql);
    for (let turn = 0; turn < 4; turn++) {
      await source.run('create table filler (); drop table filler; select pg_switch_wal()');
    }
    await source.run('checkpoint');
    const failure = await checked(['plain'], { replication_slot: 'behind' });
    assert.equal(failure?.kind, 'object_missing');
    assert.match(failure.message, /"behind" is lost.*pg_drop_replication_slot\('behind'\)/);
    await source.run('alter system reset max_slot_wal_keep_size');
    await source.run('select pg_reload_conf()');
    await source.run(`select pg_drop_replication_slot(slot_name) from pg_replication_slots;
      select pg_create_logical_replication_slot('penstock', 'pgoutput')`);
  });
});

describe('slot and publication that are missing', () => {
  it('are made when the configuration says so, and tables are added', async () => {
    const update = { replication_slot: 'made', publication: 'made', create_missing: true };
    await connector.check(configured(update), context);
    assert.equal(await checked(['plain'], update), undefined);
    assert.equal(await checked(['plain'], update), undefined, 'a second time nothing is to be done');
    const opened = await openSource(connector, configured(update));
    try {
      const streams = [await opened.stream('plain'), await opened.stream('parted')];
      const log = opened.session.changeLog!;
      await log.check(streams, { signal });
      const { position } = await log.mark({ signal });
      await source.run(`insert into plain values (1, 'a'); insert into parted values (1)`);
      const { changes } = await readChanges(opened.session, { streams, from: position });
      assert.deepEqual(
        changes.map(({ stream, row }) => [stream, row[0]]),
        [
          [0, '1'],
          [1, '1'],
        ],
      );
    } finally {
      await opened.session.close();
    }
  });
});
