import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Storage } from './index.ts';
import { finishedName } from './index.ts';

/** A storage and an empty place in it. */
export interface StorageBench {
  readonly storage: Storage;
  /** A folder that does not exist yet. */
  readonly root: string;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function collect(pieces: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString();
}

/** The storage under test, and folders in it that nobody has used. */
interface Bench {
  readonly storage: Storage;
  readonly fresh: () => string;
}

/** Registers what every storage must do. */
export function storageSuite(place: string, open: () => Promise<StorageBench>): void {
  describe(`files in ${place}`, () => {
    let opened: StorageBench | undefined;
    let folders = 0;
    before(async () => {
      opened = await open();
    });
    after(() => opened?.close());
    const bench = {
      get storage() {
        return opened!.storage;
      },
      fresh: () => `${opened!.root}/${folders++}`,
    };
    writingTests(bench);
    unfinishedTests(bench);
    namingTests(bench);
    readingTests(bench);
  });
}

/** What is written, whole. */
function writingTests(bench: Bench): void {
  it('appear under their name, whole, when they are closed', async () => {
    const path = `${bench.fresh()}/deep/file.parquet`;
    const output = await bench.storage.createFile(path);
    await output.write([bytes('a'), new Uint8Array(0), bytes('bc')]);
    const reused = Buffer.from('d'.repeat(2000));
    await output.write([reused]);
    reused.fill('x');
    assert.equal(await bench.storage.read(path), undefined);
    assert.deepEqual(await bench.storage.list(path.slice(0, path.lastIndexOf('/'))), []);
    await output.close();
    const text = `abc${'d'.repeat(2000)}`;
    assert.equal((await bench.storage.read(path))?.toString(), text);
    assert.equal(await bench.storage.size(path), 2003);
    assert.equal((await bench.storage.readRange(path, 1, 4)).toString(), 'bcd');
    assert.equal(await collect(bench.storage.readStream(path)), text);
    assert.equal(await collect(bench.storage.readStream(path, { start: 2000 })), 'ddd');
    assert.equal(await collect(bench.storage.readStream(path, { start: 1, end: 4 })), 'bcd');
    assert.equal(await collect(bench.storage.readStream(path, { start: 4, end: 4 })), '');
    assert.equal(await collect(bench.storage.readStream(path, { start: 2003 })), '');
    await assert.rejects(bench.storage.readRange(path, 2000, 2004), { kind: 'storage_failed' });
  });

  it('may be empty', async () => {
    const folder = bench.fresh();
    await (await bench.storage.createFile(`${folder}/written`)).close();
    await bench.storage.put(`${folder}/put`, bytes(''));
    for (const path of await bench.storage.list(folder)) {
      assert.deepEqual([await bench.storage.size(path), (await bench.storage.read(path))?.length], [0, 0]);
      assert.equal(await collect(bench.storage.readStream(path)), '');
    }
    assert.equal((await bench.storage.list(folder)).length, 2);
  });

  it('are put whole, and only once with ifAbsent, also when many try at once', async () => {
    const path = `${bench.fresh()}/claims/1.json`;
    const tries = Array.from({ length: 20 }, (_, at) =>
      bench.storage.put(path, bytes(`writer ${at}`), { ifAbsent: true }),
    );
    const outcomes = await Promise.all(tries);
    assert.equal(outcomes.filter(Boolean).length, 1);
    assert.equal((await bench.storage.read(path))?.toString(), `writer ${outcomes.indexOf(true)}`);
    assert.equal(await bench.storage.put(path, bytes('replaced')), true);
    assert.equal((await bench.storage.read(path))?.toString(), 'replaced');
    assert.deepEqual(await bench.storage.list(path.slice(0, path.lastIndexOf('/'))), [path]);
  });
}

/** What is begun and not closed. */
function unfinishedTests(bench: Bench): void {
  it('leave nothing when they are aborted, and stay when they were closed before', async () => {
    const folder = bench.fresh();
    for (const size of [1, 5000]) {
      const output = await bench.storage.createFile(`${folder}/x`);
      await output.write([Buffer.alloc(size)]);
      await output.abort();
      await output.abort();
    }
    const kept = await bench.storage.createFile(`${folder}/y`);
    await kept.close();
    await kept.abort();
    assert.deepEqual(await bench.storage.list(folder, { unfinished: true }), [`${folder}/y`]);
  });

  it('are listed while they are unfinished only when asked for, and can be given up by that name', async () => {
    const folder = bench.fresh();
    const output = await bench.storage.createFile(`${folder}/sub/x.parquet`);
    await output.write([Buffer.alloc(5000)]);
    assert.deepEqual(await bench.storage.list(folder), []);
    const found = await bench.storage.list(folder, { unfinished: true });
    assert.deepEqual(found.map(finishedName), [`${folder}/sub/x.parquet`]);
    assert.ok(found.every((path) => !path.endsWith('.parquet')));
    await bench.storage.remove(found[0]!);
    assert.deepEqual(await bench.storage.list(folder, { unfinished: true }), []);
    await assert.rejects(
      output.write([Buffer.alloc(50_000)]).then(() => output.close()),
      { kind: 'storage_failed' },
    );
    await output.abort();
    assert.equal(await bench.storage.size(`${folder}/sub/x.parquet`), undefined);
  });
}

/** Names and folders. */
function namingTests(bench: Bench): void {
  it('are moved over others, listed in order, removed; what is not there is no error', async () => {
    const folder = bench.fresh();
    await bench.storage.put(`${folder}/a`, bytes('a'));
    await bench.storage.put(`${folder}/sub/b`, bytes('b'));
    await bench.storage.put(`${folder}-beside/c`, bytes('c'));
    assert.deepEqual(await bench.storage.list(folder), [`${folder}/a`, `${folder}/sub/b`]);
    await bench.storage.move(`${folder}/a`, `${folder}/sub/b`);
    assert.deepEqual(await bench.storage.list(folder), [`${folder}/sub/b`]);
    assert.equal((await bench.storage.read(`${folder}/sub/b`))?.toString(), 'a');
    await bench.storage.remove(`${folder}/sub/b`);
    await bench.storage.remove(`${folder}/sub/b`);
    await bench.storage.put(`${folder}/d`, bytes('d'));
    await bench.storage.removeFolder(folder);
    await bench.storage.removeFolder(folder);
    assert.deepEqual(await bench.storage.list(folder), []);
    assert.equal(await bench.storage.size(`${folder}/a`), undefined);
    assert.equal((await bench.storage.list(`${folder}-beside`)).length, 1);
    await assert.rejects(bench.storage.move(`${folder}/a`, `${folder}/b`), { kind: 'storage_failed' });
    await assert.rejects(collect(bench.storage.readStream(`${folder}/a`)), { kind: 'object_missing' });
  });

  it('keep every character of their names', async () => {
    const folder = bench.fresh();
    const names = ["a b+c&d=e%2F'(f)!*", 'ünïcödé ✓ 漢字', '#?;:@$,~', 'name=v/{x}', '<&>"'];
    for (const name of names) await bench.storage.put(`${folder}/${name}`, bytes(name));
    assert.deepEqual(await bench.storage.list(folder), names.map((name) => `${folder}/${name}`).sort());
    for (const name of names) assert.equal((await bench.storage.read(`${folder}/${name}`))?.toString(), name);
    await bench.storage.move(`${folder}/${names[0]}`, `${folder}/${names[1]}`);
    assert.equal((await bench.storage.read(`${folder}/${names[1]}`))?.toString(), names[0]);
    await bench.storage.removeFolder(folder);
    assert.deepEqual(await bench.storage.list(folder), []);
  });
}

/** Walking and streaming. */
function readingTests(bench: Bench): void {
  it('are walked one by one with size and time', async () => {
    const folder = bench.fresh();
    const since = Date.now() - 2000;
    for (const at of [1, 2, 3]) await bench.storage.put(`${folder}/${at}/f`, Buffer.alloc(at));
    const found: [string, number][] = [];
    for await (const { path, bytes: size, modified } of bench.storage.walk(folder)) {
      assert.ok(modified.getTime() >= since && modified.getTime() <= Date.now() + 2000);
      found.push([path, size]);
    }
    assert.deepEqual(
      found.sort(),
      [1, 2, 3].map((at) => [`${folder}/${at}/f`, at]),
    );
    for await (const file of bench.storage.walk(`${folder}/none`)) assert.fail(file.path);
  });

  it('stop being read when their reader is called off', async () => {
    const path = `${bench.fresh()}/x`;
    await bench.storage.put(path, Buffer.alloc(1000));
    const signal = AbortSignal.abort();
    await assert.rejects(collect(bench.storage.readStream(path, { signal })));
    for await (const piece of bench.storage.readStream(path)) {
      assert.ok(piece.length > 0);
      break;
    }
  });
}
