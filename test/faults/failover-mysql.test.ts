import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestMariadb } from '../support/mariadb.ts';
import type { TestMariadb } from '../support/mariadb.ts';
import { createJob } from './sync-support.ts';
import type { LakeJob } from './sync-support.ts';

/** A server with an empty log, which keeps in it what it replicates. */
async function startServer(id: string): Promise<TestMariadb> {
  const server = await startTestMariadb({ settings: { 'server-id': id, 'log-slave-updates': '' } });
  await server.run('reset master');
  return server;
}

async function changesOf(job: LakeJob, table: string): Promise<string[]> {
  const rows = await job.read(table);
  return rows.map((row) => `${String(row['_op_type'])} ${String(row['id'])} ${String(row['v'])}`).toSorted();
}

test('a job goes on from the replica that took over, every change once, and loads anew from one that went another way', async () => {
  const servers = [await startServer('91'), await startServer('92')] as const;
  const [primary, replica] = servers;
  await primary.run(`create table orders (id int primary key, v int); create table idle (id int primary key, v int);
    insert into orders values (1, 1), (2, 2); insert into idle values (1, 1)`);
  const { port, username, password } = primary.config;
  await replica.run(`change master to master_host = '127.0.0.1', master_port = ${port}, master_user = '${username}',
    master_password = '${password.replaceAll("'", "''")}', master_use_gtid = slave_pos; start slave`);
  // What the job connects to: an address that leads to whichever server is the primary.
  const config = { ...primary.config, update_method: { type: 'CDC' } };
  const job = await createJob(primary, {
    destination: 'iceberg',
    mode: 'cdc',
    streams: ['orders', 'idle'],
    connection: { type: 'mysql', config },
    // Every change stays a row of its own: one that came twice is seen.
    selection: { append_mode: true },
  });
  const sync = async (): Promise<readonly string[]> => {
    const { failure, lines } = await job.attempt();
    assert.equal(failure, undefined, failure?.message);
    return lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  };
  try {
    await sync();
    await primary.run('update orders set v = 10 where id = 1');
    assert.deepEqual(await sync(), []);
    await primary.run('delete from orders where id = 2; insert into orders values (3, 3)');
    const [state] = await primary.run('select @@global.gtid_binlog_pos as pos');
    await replica.run(`do master_gtid_wait('${String(state!['pos'])}', 60)`);
    await primary.kill();
    await replica.run('stop slave; reset slave all; flush binary logs; insert into orders values (4, 4)');
    Object.assign(config, { port: replica.config.port });
    assert.deepEqual(await sync(), []);
    const known = ['d 2 2', 'r 1 1', 'r 2 2', 'c 3 3', 'c 4 4', 'u 1 10'].toSorted();
    assert.deepEqual(await changesOf(job, 'orders'), known);
    await replica.run('insert into idle values (5, 5)');
    assert.deepEqual(await sync(), []);
    assert.deepEqual(await changesOf(job, 'orders'), known);
    assert.deepEqual(await changesOf(job, 'idle'), ['c 5 5', 'r 1 1']);
    assert.match(job.state, /"gtid_set":"0-92-/);

    // As if the server had been restored from before all of that.
    await replica.run('reset master; insert into orders values (6, 6)');
    const warned = await sync();
    assert.equal(warned.filter((message) => message.includes('loaded again')).length, 2, warned.join('\n'));
    assert.ok((await changesOf(job, 'orders')).includes('r 6 6'));
  } finally {
    await job.remove();
    for (const server of servers) await server.stop();
  }
});
