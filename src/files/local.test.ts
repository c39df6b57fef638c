import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { Failure } from '../errors.ts';
import {
  findStream,
  keepAll,
  layFiles,
  makeFolder,
  neverAborted,
  openFolder,
  readStream,
  testContext,
} from './files.test-support.ts';
import type { Session } from './files.test-support.ts';

const names = async (session: Session): Promise<string[]> =>
  (await session.discover({ signal: neverAborted, threads: 2 })).map((stream) => stream.name);

describe('a local folder', () => {
  it('has its first folders and its own files as streams; hidden entries and unknown files are none', async (test) => {
    const folder = await makeFolder(test, {
      'orders/2024/01/a.csv': 'id\n1\n',
      'orders/b.csv': 'id\n2\n',
      'orders/_SUCCESS': '',
      'orders/.part.csv': 'id\n9\n',
      'orders/_tmp/c.csv': 'id\n9\n',
      '_log/d.csv': 'id\n9\n',
      '.git/e.csv': 'id\n9\n',
      'customers.v2.csv.gz': gzipSync('id\n3\n'),
      'events.jsonl': '{"id":4}\n',
      'notes.txt': 'nothing',
    });
    const context = testContext();
    const session = openFolder(folder, {}, context);
    const streams = await session.discover({ signal: neverAborted, threads: 2 });
    assert.deepEqual(
      streams.map(({ namespace, name }) => `${namespace}.${name}`),
      ['customers.v2', 'events', 'orders'].map((name) => `${basename(folder)}.${name}`),
    );
    assert.deepEqual((await readStream(session, 'orders')).rows, [['1'], ['2']]);
    assert.deepEqual((await readStream(session, 'customers.v2')).rows, [['3']]);
    assert.ok(context.lines.some((line) => line.includes('notes.txt')));
  });

  it('is limited by format and pattern', async (test) => {
    const folder = await makeFolder(test, {
      'a/1.csv': 'id\n1\n',
      'a/2.csv': 'id\n2\n',
      'b/3.json': '{"id":1}',
      'c/4.dat': 'id\n4\n',
    });
    assert.deepEqual(await names(openFolder(folder, { file_format: 'csv' })), ['a', 'c']);
    assert.deepEqual((await readStream(openFolder(folder, { file_pattern: '^a/2' }), 'a')).rows, [['2']]);
    assert.throws(() => openFolder(folder, { file_pattern: '(' }), {
      kind: 'configuration_invalid',
      message: /file_pattern/,
    });
  });

  it('may be a single file, whose folder is the namespace', async (test) => {
    const folder = await makeFolder(test, { 'in/orders.csv': 'id\n1\n' });
    const { stream, rows } = await readStream(openFolder(join(folder, 'in/orders.csv')), 'orders');
    assert.equal(stream.namespace, 'in');
    assert.deepEqual(rows, [['1']]);
    const byUrl = await readStream(openFolder(`file://${folder}/in/orders.csv`), 'orders');
    assert.equal(byUrl.rows.length, 1);
  });

  it('that does not exist, is relative, of another host or holds a NUL is refused', async (test) => {
    const folder = await makeFolder(test, {});
    await assert.rejects(names(openFolder(join(folder, 'gone'))), { kind: 'object_missing' });
    for (const url of ['data/in', '../x', 'file://host/etc', 'ftp://host/x', `/tmp/\0`]) {
      assert.throws(() => openFolder(url), { kind: 'configuration_invalid' }, url);
    }
  });

  it('is not left by links, wherever they lead', async (test) => {
    const outside = await makeFolder(test, { 'secret/a.csv': 'id\n9\n', 'b.csv': 'id\n9\n' });
    const folder = await makeFolder(test, { 'data/a.csv': 'id\n1\n' });
    await symlink(join(outside, 'secret'), join(folder, 'linked'));
    await symlink(join(outside, 'b.csv'), join(folder, 'data/b.csv'));
    await symlink('/dev/zero', join(folder, 'data/zero.csv'));
    await symlink('.', join(folder, 'loop'));
    const context = testContext();
    const session = openFolder(folder, {}, context);
    assert.deepEqual(await names(session), ['data']);
    assert.deepEqual((await readStream(session, 'data')).rows, [['1']]);
    assert.equal(context.lines.filter((line) => line.includes('is a link and is not followed')).length, 4);
  });

  it('whose file became a link after it was listed is not followed either', async (test) => {
    const outside = await makeFolder(test, { 'a.csv': 'id\n9\n' });
    for (const part of ['data/a.csv', 'data']) {
      const folder = await makeFolder(test, { 'data/a.csv': 'id\n1\n' });
      const session = openFolder(folder);
      const stream = await findStream(session, 'data');
      await rm(join(folder, part), { recursive: true });
      await symlink(part === 'data' ? outside : join(outside, 'a.csv'), join(folder, part));
      const read = session.readChunk(stream, { ...keepAll().reading, chunk: { min: null, max: null } });
      await assert.rejects(read, { kind: 'connection_lost', message: /leads out of its folder|is another file/ });
    }
  });

  it('that may not be used is refused, and one below it is left out', async (test) => {
    const folder = await makeFolder(test, { 'a/1.csv': 'id\n1\n', 'penstock/warehouse/2.csv': 'id\n2\n' });
    const closed = join(folder, 'penstock');
    const allowPath = (path: string): void => {
      if (path.startsWith(closed)) throw new Failure('configuration_invalid', `${path} lies in a closed folder`);
    };
    assert.throws(() => openFolder(closed, {}, testContext({ allowPath })), { message: /closed folder/ });
    assert.deepEqual(await names(openFolder(folder, {}, testContext({ allowPath }))), ['a']);
  });

  it('is read as it was listed: new files belong to the next session, vanished ones end the read', async (test) => {
    const folder = await makeFolder(test, { 'data/a.csv': 'id\n1\n', 'data/b.csv': 'id\n2\n' });
    const session = openFolder(folder);
    const stream = await findStream(session, 'data');
    await layFiles(folder, { 'data/c.csv': 'id\n3\n' });
    assert.deepEqual((await readStream(session, 'data')).rows, [['1'], ['2']]);
    await rm(join(folder, 'data/b.csv'));
    const gone = session.readChunk(stream, { ...keepAll().reading, chunk: { min: null, max: null } });
    await assert.rejects(gone, { kind: 'connection_lost', message: /b\.csv vanished/ });
    assert.deepEqual((await readStream(openFolder(folder), 'data')).rows, [['1'], ['3']]);
  });

  it('whose text file grows is read up to its last whole record; other changes end the read', async (test) => {
    const files = {
      'csv/a.csv': 'id,t\n1,a\n2,unfini',
      'json/a.jsonl': '{"id":1}\n{"id":',
      'packed/a.csv': gzipSync('id\n1\n'),
      'anew/a.csv': 'id\n1\n',
      'other/a.csv': 'id\n1\n',
    };
    const folder = await makeFolder(test, files);
    const session = openFolder(folder);
    await names(session);
    await appendFile(join(folder, 'csv/a.csv'), 'shed\n3,c\n');
    await appendFile(join(folder, 'json/a.jsonl'), '2}\n');
    await appendFile(join(folder, 'packed/a.csv'), gzipSync('2\n'));
    await writeFile(join(folder, 'anew/a.csv'), 'id\n2\n');
    await writeFile(join(folder, 'new.csv'), 'id\n100000\n');
    await rename(join(folder, 'new.csv'), join(folder, 'other/a.csv'));
    assert.deepEqual((await readStream(session, 'csv')).rows, [['1', 'a']]);
    assert.deepEqual((await readStream(session, 'json')).rows, [['1']]);
    await assert.rejects(readStream(session, 'packed'), { kind: 'connection_lost', message: /grows/ });
    await assert.rejects(readStream(session, 'anew'), { kind: 'connection_lost', message: /written anew/ });
    await assert.rejects(readStream(session, 'other'), { kind: 'connection_lost', message: /another file/ });
    assert.equal((await readStream(openFolder(folder), 'csv')).rows.length, 3);
  });

  it('with a pipe in it does not wait for a writer', async (test) => {
    const folder = await makeFolder(test, { 'data/a.csv': 'id\n1\n' });
    execFileSync('mkfifo', [join(folder, 'data/b.csv')]);
    assert.deepEqual((await readStream(openFolder(folder), 'data')).rows, [['1']]);
  });
});

describe('a compressed file', () => {
  it('is known by its first bytes: gzip (also of several parts), zstd, zip of one file', async (test) => {
    const folder = await makeFolder(test, {
      'gzip.csv.gz': Buffer.concat([gzipSync('id\n1\n'), gzipSync('2\n')]),
      'hidden.csv': gzipSync('id\n1\n2\n'),
      'zstd.csv.zst': zstdCompressSync('id\n1\n2\n'),
      'zip.csv.zip': zipOf({ 'a/': '', '__MACOSX/a': 'x', 'a/data.csv': 'id\n1\n2\n' }),
      'plain.csv.gz': 'id\n1\n2\n',
    });
    const session = openFolder(folder);
    for (const name of ['gzip', 'hidden', 'zstd', 'zip', 'plain']) {
      assert.deepEqual((await readStream(session, name)).rows, [['1'], ['2']], name);
    }
  });

  it('that is damaged, cut, or an archive of several files is refused with its name', async (test) => {
    const whole = gzipSync(`id\n${'1\n'.repeat(10_000)}`);
    const damaged = Buffer.from(zipOf({ 'a.csv': 'id\n1\n' }));
    damaged.fill(0, 0, 4);
    const folder = await makeFolder(test, {
      'cut.csv.gz': whole.subarray(0, whole.length - 12),
      'two.csv.zip': zipOf({ 'a.csv': 'id\n1\n', 'b.csv': 'id\n2\n' }),
      'end.csv.zip': zipOf({ 'a.csv': 'id\n1\n' }).subarray(0, 40),
    });
    const session = openFolder(folder);
    for (const name of ['cut', 'two', 'end']) {
      await assert.rejects(readStream(session, name), { kind: 'value_refused', message: new RegExp(`${name}\\.csv`) });
    }
    const none = openFolder(await makeFolder(test, { 'a.csv': 'id\n1\n' }), { compression: 'gzip' });
    await assert.rejects(readStream(none, 'a'), { kind: 'value_refused', message: /is damaged/ });
  });

  it('that unfolds to a single endless record is refused, in bounded memory', async (test) => {
    // 80 MB of one letter take some hundred kB.
    const bomb = gzipSync(Buffer.concat([Buffer.from('id\n'), Buffer.alloc(80 << 20, 'a')]), { level: 1 });
    const folder = await makeFolder(test, { 'csv/a.csv.gz': bomb, 'json/a.jsonl.gz': bomb });
    const session = openFolder(folder, { column_types: { id: 'string' } });
    const before = process.memoryUsage().rss;
    await assert.rejects(readStream(session, 'csv'), {
      kind: 'value_refused',
      message: /a\.csv\.gz.*longer than 64 MiB/,
    });
    await assert.rejects(readStream(session, 'json'), {
      kind: 'value_refused',
      message: /a\.jsonl\.gz:2.*longer than 64 MiB/,
    });
    assert.ok(process.memoryUsage().rss - before < 1 << 30);
  });

  it('of many records is read with back-pressure', async (test) => {
    const folder = await makeFolder(test, { 'a.csv.gz': gzipSync(`id\n${'12345678\n'.repeat(1_000_000)}`) });
    let open = 0;
    let most = 0;
    const sink = async (): Promise<void> => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setImmediate(resolve));
      open--;
    };
    const session = openFolder(folder);
    await readStream(session, 'a', { sink, batchRows: 65_536, batchBytes: 16 << 20 });
    assert.equal(most, 1);
    assert.equal(await session.countRows(await findStream(session, 'a'), { signal: neverAborted }), 1_000_000);
  });
});

/** A zip archive as other tools write it, with sizes in its list only. */
function zipOf(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const list: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const packed = deflateRawSync(text);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(8, 6);
    header.writeUInt16LE(8, 8);
    header.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 8);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(text.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    parts.push(header, Buffer.from(name), packed);
    list.push(entry, Buffer.from(name));
    offset += 30 + name.length + packed.length;
  }
  const listed = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listed, end]);
}
