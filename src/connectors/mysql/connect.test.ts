import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FailureKind } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import { makeCertificate } from '../../../test/support/certificate.ts';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { openSource, readAll } from '../../../test/support/source.ts';
import { keepChanges, streamAfter } from '../kit/conformance/changes-place.ts';
import { parseVersion } from './connect.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();
const tls = makeCertificate();
const CHANGES = { update_method: { type: 'CDC' } };

let source: TestMariadb;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-test-certificate-'));
  await writeFile(join(folder, 'cert.pem'), tls.certificate);
  await writeFile(join(folder, 'key.pem'), tls.key);
  source = await startTestMariadb({
    settings: {
      'ssl-ca': join(folder, 'cert.pem'),
      'ssl-cert': join(folder, 'cert.pem'),
      'ssl-key': join(folder, 'key.pem'),
      'plugin-maturity': 'unknown',
    },
  });
  await source.run(`create table open_table (id int primary key, v varchar(300)); create table hidden (id int primary key);
    insert into open_table select seq, repeat('x', 300) from seq_1_to_3000;
    create user plain@'%' identified by 'p'; grant select on shop.open_table to plain@'%';
    create user watcher@'%' identified by 'p'; grant select on shop.* to watcher@'%'; grant binlog monitor on *.* to watcher@'%';
    create user replica@'%' identified by 'p'; grant select on shop.* to replica@'%';
    grant binlog monitor, replication slave on *.* to replica@'%';
    create user guarded@'%' identified by 'p' require ssl; grant select on shop.* to guarded@'%';
    create user far@'10.9.8.7' identified by 'p';
    create user one@'%' identified by 'p' with max_user_connections 1; grant select on shop.* to one@'%';
    create user gone@'%' identified by 'p' password expire; grant select on shop.* to gone@'%'`);
});
after(async () => {
  await source?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const as = (username: string, more: Record<string, unknown> = {}) => ({
  ...source.config,
  username,
  password: 'p',
  ...more,
});

async function check(config: unknown): Promise<string[]> {
  const lines: string[] = [];
  await connector.check(config, { world: createWorld(), log: ({ message }) => void lines.push(message), signal });
  return lines;
}

async function refuses(config: unknown, kind: FailureKind, message: RegExp): Promise<void> {
  await assert.rejects(check(config), (error: Error & { kind?: string }) => {
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /test'pass|wrong-secret/);
    return true;
  });
}

describe('the check of a connection', () => {
  it('says each step when all is well, over TCP and by the socket', async () => {
    const lines = await check({ ...source.config, ...CHANGES });
    assert.match(
      lines.join('\n'),
      /connecting to[\s\S]*the server is MariaDB 10[\s\S]*tables and views are listed[\s\S]*binary log/,
    );
    assert.match((await check({ ...source.config, hosts: source.socketPath })).join('\n'), /connected/);
  });

  it('asks whether the socket may be used', async () => {
    const allowPath = (path: string): void => {
      throw new Error(`not ${path}`);
    };
    const context = { world: createWorld(), log: () => undefined, signal, allowPath };
    await assert.rejects(connector.check({ ...source.config, hosts: '/run/other.sock' }, context), {
      message: 'not /run/other.sock',
    });
  });

  it('names what is wrong, and how to repair it', async () => {
    await refuses({ ...source.config, password: 'wrong-secret' }, 'credentials_refused', /refused user "penstock"/);
    await refuses({ ...source.config, username: 'nobody' }, 'credentials_refused', /refused user "nobody"/);
    await refuses({ ...source.config, database: 'nowhere' }, 'object_missing', /Unknown database 'nowhere'/);
    await refuses(as('plain', { database: 'mysql' }), 'permission_missing', /Access denied/);
    await refuses({ ...source.config, port: 1 }, 'unreachable', /connection refused by 127\.0\.0\.1:1/);
    await refuses({ ...source.config, hosts: 'no-such-host.invalid' }, 'unreachable', /host name/);
    await refuses(as('guarded'), 'credentials_refused', /refused user "guarded"/);
    await refuses(as('gone'), 'credentials_refused', /expired/);
    await refuses({ ...source.config, hosts: ' ' }, 'configuration_invalid', /hosts is required/);
    await refuses(
      { ...source.config, ssh_config: { type: 'ssh_password_authentication' } },
      'configuration_invalid',
      /tunnel/,
    );
    await refuses({ ...source.config, port: 70_000 }, 'configuration_invalid', /port/);
  });

  it('names the right or the setting that reading changes lacks', async () => {
    await refuses(as('plain', CHANGES), 'permission_missing', /grant BINLOG MONITOR/);
    assert.match((await check(as('replica', CHANGES))).join('\n'), /binary log holds/);
    const { session, stream } = await openSource(connector, as('watcher', CHANGES));
    const selection = await stream('open_table');
    await assert.rejects(session.changeLog!.check([selection], { signal }), {
      kind: 'permission_missing',
      message: /grant REPLICATION SLAVE/,
    });
    await session.close();
    await source.run("set global binlog_row_image = 'MINIMAL'");
    await refuses({ ...source.config, ...CHANGES }, 'configuration_invalid', /binlog_row_image = FULL.*MINIMAL/);
    await source.run("set global binlog_row_image = 'FULL', global binlog_format = 'MIXED'");
    await refuses({ ...source.config, ...CHANGES }, 'configuration_invalid', /binlog_format = ROW/);
    await source.run("set global binlog_format = 'ROW'");
  });

  it('says that the server takes no more connections', async () => {
    const first = await openSource(connector, as('one', { max_threads: 1 }));
    await first.stream('open_table');
    await refuses(as('one'), 'unreachable', /max_user_connections/);
    await first.session.close();
  });
});

describe('what a user may not do', () => {
  it('leaves tables out that may not be read, and says so', async () => {
    const { session, lines } = await openSource(connector, as('plain'));
    const streams = await session.discover({ signal, threads: 1 });
    assert.deepEqual(
      streams.map(({ name }) => name),
      ['open_table'],
    );
    assert.equal(lines.length, 0, 'the server hides what may not be seen');
    await session.close();
  });

  it('loads and hands over to the log without the right to lock writers out', async () => {
    const { session, stream } = await openSource(connector, as('replica', CHANGES));
    const selection = await stream('open_table');
    const log = session.changeLog!;
    const mark = await log.mark({ signal });
    await source.run("insert into open_table values (9001, 'later')");
    assert.equal((await readAll(session, selection)).rows.length, 3000);
    const kept = keepChanges({
      streams: [streamAfter(selection, mark.position)],
      from: mark.position,
      upTo: await log.end({ signal }),
    });
    await log.read(kept);
    assert.deepEqual(
      kept.changes.map(({ row }) => row),
      [['9001', 'later']],
    );
    await session.close();
    await source.run('delete from open_table where id = 9001');
  });
});

describe('TLS', () => {
  const modes: readonly (readonly [name: string, ssl: Record<string, unknown>])[] = [
    ['require', { mode: 'require' }],
    ['verify-ca', { mode: 'verify-ca', server_ca: tls.certificate }],
    ['verify-full', { mode: 'verify-full', server_ca: tls.certificate }],
  ];
  for (const [name, ssl] of modes) {
    it(`carries loads and changes in mode ${name}`, async () => {
      const hosts = name === 'verify-full' ? 'localhost' : '127.0.0.1';
      const { session, stream } = await openSource(connector, { ...source.config, hosts, ssl, ...CHANGES });
      const selection = await stream('open_table');
      const log = session.changeLog!;
      const from = await log.end({ signal });
      assert.equal((await readAll(session, selection)).rows.length, 3000);
      await source.run("update open_table set v = 'tls' where id = 1");
      const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo: await log.end({ signal }) });
      await log.read(kept);
      assert.deepEqual(
        kept.changes.map(({ operation, row }) => [operation, ...row]),
        [['updated', '1', 'tls']],
      );
      await session.close();
      await source.run("update open_table set v = 'x' where id = 1");
    });
  }

  it('refuses a certificate that the authority did not sign', async () => {
    const ssl = { mode: 'verify-ca', server_ca: makeCertificate().certificate };
    await refuses({ ...source.config, ssl }, 'configuration_invalid', /certificate .* was not accepted/);
  });

  it('satisfies a user who must use it', async () => {
    await check(as('guarded', { ssl: { mode: 'require' } }));
  });

  it('says that a server does not offer it', async () => {
    const bare = await startTestMariadb({ settings: { 'skip-ssl': '' } });
    await refuses({ ...bare.config, ssl: { mode: 'require' } }, 'configuration_invalid', /does not offer TLS/);
    await bare.stop();
  });
});

describe('the version of a server', () => {
  it('is read from the text that it prints', () => {
    const read = (text: string): string => {
      const { flavor, version } = parseVersion(text);
      return `${flavor} ${version}`;
    };
    assert.equal(read('10.11.19-MariaDB-0+deb12u1-log'), 'mariadb 100011');
    assert.equal(read('5.5.5-10.6.12-MariaDB'), 'mariadb 100006');
    assert.equal(read('8.0.36'), 'mysql 80000');
    assert.equal(read('8.4.0-cloud'), 'mysql 80004');
  });
});
