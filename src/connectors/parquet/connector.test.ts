import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom, wordsOf } from '../kit/conformance/destination-rows.ts';
import type { DestinationContext } from '../kit/index.ts';
import { openPlace } from './conformance/place.ts';
import { connector } from './index.ts';

let root = '';
let folders = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'parquet-destination-'));
});
after(() => rm(root, { recursive: true, force: true }));

function contextOf(changes: Partial<DestinationContext> = {}): DestinationContext {
  return {
    world: createWorld(),
    log: () => {},
    signal: new AbortController().signal,
    guard: async () => {},
    warehouse: root,
    allowPath: () => {},
    ...changes,
  };
}

const fresh = (): string => join(root, `${folders++}`);
const openIn = (folder: string, writer: object = {}, changes: Partial<DestinationContext> = {}) =>
  connector.open({ local_path: folder, ...writer }, contextOf(changes));

describe('the configuration of a Parquet destination', () => {
  it('is taken bare or inside a writer, and a wrong field is named', async () => {
    await connector.check({ type: 'PARQUET', writer: { local_path: fresh() } }, contextOf());
    await connector.check({ local_path: fresh() }, contextOf());
    const wrong: readonly (readonly [object, string])[] = [
      [{}, 'local_path'],
      [{ s3_region: 'r', s3_path: 'p' }, 's3_bucket'],
      [{ s3_bucket: 'lake', s3_path: 'p' }, 's3_region'],
      [{ s3_bucket: 'a/b', s3_region: 'r' }, 's3_bucket'],
      [{ s3_bucket: 'lake', s3_region: 'r', s3_path: 'a/../b' }, 's3_path'],
      [{ s3_bucket: 'lake', s3_endpoint: 'http://169.254.169.254' }, 's3_endpoint'],
      [{ s3_bucket: 'lake', s3_region: 'r', s3_access_key: 'k' }, 's3_secret_key'],
      [{ local_path: '/x', compression: 'lzo' }, 'compression'],
      [{ local_path: '/x', max_file_size_mb: 0 }, 'max_file_size_mb'],
      [{ local_path: '/x', decimals: 'text' }, 'decimals'],
    ];
    for (const [config, field] of wrong) {
      await assert.rejects(connector.check({ type: 'PARQUET', writer: config }, contextOf()), (error: Failure) => {
        assert.equal(error.kind, 'configuration_invalid');
        assert.deepEqual(
          error.details.map((detail) => detail.field),
          [field],
        );
        return true;
      });
    }
    await assert.rejects(connector.check({ local_path: 'relative' }, contextOf()), { kind: 'configuration_invalid' });
  });

  it('has a form whose secrets are marked', () => {
    const schema = connector.spec().jsonschema as { properties: { writer: { properties: Record<string, object> } } };
    const { properties } = schema.properties.writer;
    assert.deepEqual(properties.s3_secret_key, { type: 'string', title: 'S3 secret key', format: 'password' });
    assert.ok('local_path' in properties && 'compression' in properties);
  });

  it('touches no folder that is not allowed', async () => {
    const folder = fresh();
    const allowPath = (path: string): void => {
      throw new Failure('forbidden', `The folder "${path}" may not be used.`);
    };
    await assert.rejects(connector.check({ local_path: folder }, contextOf({ allowPath })), { kind: 'forbidden' });
    await assert.rejects(openIn(folder, {}, { allowPath }), { kind: 'forbidden' });
    assert.ok(!(await readdir(root)).includes(folder.slice(root.length + 1)));
  });

  it('is checked without a trace', async () => {
    const folder = fresh();
    await connector.check({ local_path: join(folder, 'a/b') }, contextOf());
    assert.ok(!(await readdir(root)).includes(folder.slice(root.length + 1)));
  });
});

describe('a Parquet table', () => {
  it('says in its manifest what it holds', async () => {
    const folder = fresh();
    const table = await (await openIn(folder)).openTable(conformanceTable());
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 3, 'w')));
    await unit.commit('append', checkpointOf(1));
    await table.close();
    const manifest = JSON.parse(await readFile(join(folder, 'conformance/rows/_manifest.json'), 'utf8'));
    const { sequence, schema, files, checkpoints, ...rest } = manifest;
    assert.deepEqual([manifest.format, rest.table, sequence], [1, { database: 'conformance', name: 'rows' }, 1]);
    assert.deepEqual(schema[3], { id: 4, name: 'amount', type: 'decimal(10,2)', nullable: true });
    assert.deepEqual(checkpoints, { 'project/1/public.rows': checkpointOf(1) });
    assert.deepEqual([files.length, files[0].rows, files[0].run], [1, 3, 'r_conformance']);
    assert.equal((await readFile(join(folder, 'conformance/rows', files[0].path))).length, files[0].bytes);
  });

  it('closes files at the size limit and keeps places right across them', async () => {
    const folder = fresh();
    const table = await (await openIn(folder, { max_file_size_mb: 0.001 })).openTable(conformanceTable());
    const unit = table.beginUnit();
    const places = [];
    for (let at = 0; at < 4; at++) places.push(await unit.write(batchOf(rowsFrom(at * 200, 200, 'w'))));
    await unit.commit('append', checkpointOf(1));
    assert.ok(new Set(places.map((place) => place.file)).size > 1);
    const texts = await table.readRows(places.map(({ file, firstRow }) => ({ file, row: firstRow + 7 })));
    assert.deepEqual(
      texts.map((row) => row?.[1]),
      ['7', '207', '407', '607'],
    );
    await table.close();
  });

  it('stores decimals as doubles when asked to, and still reads back their text', async () => {
    const folder = fresh();
    const table = await (await openIn(folder, { decimals: 'double' })).openTable(conformanceTable());
    const unit = table.beginUnit();
    const place = await unit.write(batchOf(rowsFrom(1, 2, 'w')));
    await unit.commit('append', checkpointOf(1));
    assert.deepEqual(await table.readRows([{ file: place.file, row: 1 }]), [['2', '2', 'w-2', '2.02']]);
    const rows = await (await openPlace(folder)).readRows(conformanceTable().name);
    assert.deepEqual(
      rows.map((row) => row.amount),
      [1.01, 2.02],
    );
    await table.close();
  });

  it('reads back staged rows before and after their publication', async () => {
    const table = await (await openIn(fresh())).openTable(conformanceTable());
    const unit = table.beginUnit();
    const { file } = await unit.write(batchOf(rowsFrom(0, 3, 'w')));
    await unit.commit('stage', checkpointOf(1));
    assert.equal((await table.readRows([{ file, row: 2 }]))[0]![2], 'w-2');
    await table.publishStaged(checkpointOf(2));
    assert.equal((await table.readRows([{ file, row: 2 }]))[0]![2], 'w-2');
    await table.close();
  });

  it('takes commits of two streams, and a replacement by one keeps the checkpoint of the other', async () => {
    const folder = fresh();
    const session = await openIn(folder);
    const one = await session.openTable(conformanceTable());
    const two = await session.openTable(conformanceTable({ checkpointKey: 'project/2/public.rows' }));
    for (const [at, table] of [one, two, one, two].entries()) {
      const unit = table.beginUnit();
      await unit.write(batchOf(rowsFrom(at * 10, 2, 'w')));
      await unit.commit('append', checkpointOf(at + 1));
    }
    const words = wordsOf([0, 10, 20, 30].flatMap((first) => rowsFrom(first, 2, 'w')));
    const place = await openPlace(folder);
    assert.deepEqual(wordsOf(await place.readRows(conformanceTable().name)), words);
    await two.publishStaged(checkpointOf(5));
    const again = await session.openTable(conformanceTable());
    assert.deepEqual([again.checkpoint?.seq, again.rows], [3, 0]);
    const { found, listed } = await place.listFiles(conformanceTable().name);
    assert.deepEqual([found, listed], [[], []]);
    for (const table of [one, two, again]) await table.close();
  });

  it('never removes files that it did not write', async () => {
    const folder = fresh();
    const path = join(folder, 'conformance/rows');
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'mine.parquet'), 'foreign');
    const table = await (await openIn(folder)).openTable(conformanceTable());
    await table.beginUnit().commit('append', checkpointOf(1));
    await table.publishStaged(checkpointOf(2));
    await table.close();
    assert.equal(await readFile(join(path, 'mine.parquet'), 'utf8'), 'foreign');
  });

  it('refuses a manifest of another format instead of overwriting it', async () => {
    const folder = fresh();
    const path = join(folder, 'conformance/rows');
    await mkdir(path, { recursive: true });
    await writeFile(join(path, '_manifest.json'), '{"format":2}');
    const session = await openIn(folder);
    await assert.rejects(session.openTable(conformanceTable()), { kind: 'storage_failed' });
    await writeFile(join(path, '_manifest.json'), '{"format":');
    await assert.rejects(session.openTable(conformanceTable()), { kind: 'storage_failed' });
  });

  it('refuses a type that neither widens nor narrows to the one it holds', async () => {
    const folder = fresh();
    const session = await openIn(folder);
    const table = await session.openTable(conformanceTable());
    await table.beginUnit().commit('append', checkpointOf(1));
    const columns = conformanceTable().columns.map((column) =>
      column.name === 'id' ? ({ ...column, type: { kind: 'string' } } as const) : column,
    );
    const other = await session.openTable(conformanceTable({ columns }));
    const unit = other.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 2, 'w'), columns));
    await assert.rejects(unit.commit('append', checkpointOf(2)), { kind: 'value_refused', message: /"id"/ });
    await unit.abort();
    await other.close();
    await table.close();
  });
});
