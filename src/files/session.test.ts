import assert from 'node:assert/strict';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Conditions } from './shapes.ts';
import { TIME_COLUMN } from './shapes.ts';
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

const CURSOR = { column: TIME_COLUMN };
const at = (second: number): string => `2024-01-01T00:00:0${second}.000000Z`;

/** Lays files of one stream, each as old as its second of one minute says. */
async function age(folder: string, files: Readonly<Record<string, number>>): Promise<void> {
  for (const [path, second] of Object.entries(files)) {
    const time = Date.UTC(2024, 0, 1, 0, 0, second) / 1000;
    await utimes(join(folder, path), time, time);
  }
}

describe('following files by their time', () => {
  it('reads new and changed files in the order of their times, those of the last instant again', async (test) => {
    const folder = await makeFolder(test, {
      's/a.csv': 'id\n1\n',
      's/b.csv': 'id\n2\n',
      's/c.csv': 'id\n3\n',
      's/d.csv': 'id\n4\n',
    });
    await age(folder, { 's/d.csv': 1, 's/b.csv': 2, 's/a.csv': 2, 's/c.csv': 3 });
    const session = openFolder(folder);
    const stream = await findStream(session, 's');
    assert.deepEqual(stream.modes, ['full_refresh', 'incremental']);
    assert.deepEqual(
      stream.columns.filter(({ orderable }) => orderable).map(({ name }) => name),
      [TIME_COLUMN],
    );
    const upTo = await session.maxCursor(stream, CURSOR);
    assert.deepEqual(upTo, { primary: at(3), fallback: null });
    const after = { primary: at(2), fallback: null };
    const kept = keepAll();
    await session.readAfter(stream, { ...kept.reading, cursor: CURSOR, after, upTo });
    assert.deepEqual(kept.rows, [
      ['1', at(2)],
      ['2', at(2)],
      ['3', at(3)],
    ]);
    const bounded = keepAll();
    await session.readAfter(stream, { ...bounded.reading, cursor: CURSOR, after: { primary: null }, upTo: after });
    assert.deepEqual(
      bounded.rows.map(([id]) => id),
      ['4', '1', '2'],
    );
  });

  it('leaves out the files of an instant that are known by name, and tells when a file is done', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': 'id\n1\n', 's/b.csv': 'id\n1\n' });
    await age(folder, { 's/a.csv': 2, 's/b.csv': 2 });
    const first = openFolder(folder);
    const stream = await findStream(first, 's');
    const without = await first.partsAt(stream, { cursor: CURSOR, value: at(2) });
    assert.deepEqual(without, [join(folder, 's/a.csv'), join(folder, 's/b.csv')]);
    // The same rows in another file of the same instant are other rows.
    await layFiles(folder, { 's/0.csv': 'id\n1\n', 's/z.csv': 'id\n5\n' });
    await age(folder, { 's/0.csv': 2, 's/z.csv': 4 });
    const session = openFolder(folder);
    const events: unknown[] = [];
    const kept = keepAll({ sink: async (batch) => void events.push(batch.rows) });
    await session.readAfter(stream, {
      ...kept.reading,
      cursor: CURSOR,
      after: { primary: at(2) },
      upTo: await session.maxCursor(stream, CURSOR),
      without,
      partDone: async (part) => void events.push(part),
    });
    assert.deepEqual(events, [
      1,
      { name: join(folder, 's/0.csv'), value: at(2) },
      1,
      { name: join(folder, 's/z.csv'), value: at(4) },
    ]);
  });

  it('bounds a load by the time that was seen first, and knows one cursor only', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': 'id\n1\n', 's/b.csv': 'id\n2\n' });
    await age(folder, { 's/a.csv': 1, 's/b.csv': 2 });
    const session = openFolder(folder);
    const stream = await findStream(session, 's');
    const upTo = { cursor: CURSOR, values: { primary: at(1), fallback: null } };
    const kept = keepAll();
    await session.readChunk(stream, { ...kept.reading, chunk: { min: null, max: null }, upTo });
    assert.deepEqual(kept.rows, [['1', at(1)]]);
    assert.equal(await session.countRows(stream, { upTo, signal: neverAborted }), 1);
    // A file that came later at the instant of the bound is not within it.
    const none = { ...upTo, parts: [] };
    assert.equal(await session.countRows(stream, { upTo: none, signal: neverAborted }), 0);
    await assert.rejects(session.maxCursor(stream, { column: 'id' }), { kind: 'configuration_invalid' });
  });

  it('keeps instants to the microsecond, and before 1970', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': 'id\n1\n' });
    await utimes(join(folder, 's/a.csv'), new Date(-1500), new Date(-1500));
    const session = openFolder(folder);
    assert.equal(
      (await session.maxCursor(await findStream(session, 's'), CURSOR)).primary,
      '1969-12-31T23:59:58.500000Z',
    );
  });

  it('gives a column of that name in a file no place', async (test) => {
    const folder = await makeFolder(test, {
      's/a.csv': `${TIME_COLUMN},id\nx,1\n`,
      's/b.jsonl': `{"${TIME_COLUMN}":7,"id":2}\n`,
    });
    const context = testContext();
    const { types, rows } = await readStream(openFolder(folder, {}, context), 's');
    assert.deepEqual(types, { id: 'long' });
    assert.deepEqual(rows, [['1'], ['2']]);
    assert.deepEqual(
      context.lines.filter((line) => line.startsWith('warn')),
      [],
    );
  });
});

describe('a load of files', () => {
  it('is cut into chunks of about the wanted size that hold each file once, whatever comes in between', async (test) => {
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`s/${String(n).padStart(2, '0')}.csv`, `id\n${n}\n${'\n'.repeat(40_000)}`]),
    );
    const folder = await makeFolder(test, files);
    const session = openFolder(folder);
    const stream = await findStream(session, 's');
    const plan = await session.planLoad(stream, { targetBytes: 100_000, signal: neverAborted });
    assert.equal(plan.chunks.length, 10);
    await layFiles(folder, { 's/000.csv': 'id\n100\n', 's/99.csv': 'id\n101\n' });
    await rm(join(folder, 's/02.csv'));
    const later = openFolder(folder);
    const kept = keepAll();
    for (const chunk of plan.chunks)
      await later.readChunk({ ...stream, columns: stream.columns.slice(0, 1) }, { ...kept.reading, chunk });
    const ids = kept.rows.map(([id]) => Number(id));
    assert.equal(new Set(kept.rows.map(([id]) => id)).size, kept.rows.length);
    assert.ok(ids.includes(100) && ids.includes(101) && !ids.includes(2));
  });

  it('has a mark that holds while no file comes, goes or changes, and a generation of its settings', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': 'id\n1\n', 's/b.csv': 'id\n2\n', 'other.csv': 'id\n1\n' });
    const plan = async (config = {}) => {
      const session = openFolder(folder, config);
      return session.planLoad(await findStream(session, 's'), { targetBytes: 1 << 30, signal: neverAborted });
    };
    const holds = async (mark: string): Promise<boolean> => {
      const session = openFolder(folder);
      return session.isUnchangedSince(
        { namespace: (await findStream(session, 'other')).namespace, name: 's', columns: [] },
        mark,
      );
    };
    const first = await plan();
    assert.deepEqual(await plan(), first);
    assert.notEqual((await plan({ csv: { delimiter: ';' } })).generation, first.generation);
    await writeFile(join(folder, 'other.csv'), 'id\n2\n');
    assert.equal(await holds(first.changeMark), true);
    for (const change of [
      () => layFiles(folder, { 's/c.csv': 'id\n3\n' }),
      () => writeFile(join(folder, 's/a.csv'), 'id\n4\n'),
      () => rm(join(folder, 's/b.csv')),
      () => rm(join(folder, 's'), { recursive: true }),
    ]) {
      const { changeMark } = await plan();
      await change();
      assert.equal(await holds(changeMark), false);
    }
  });

  it('shows sessions elsewhere the same files, or tells that they changed', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': 'id\n1\n', 's/b.csv': 'id\n2\n' });
    const moment = await openFolder(folder).shareMoment({ signal: neverAborted });
    const elsewhere = () => openFolder(folder, {}, { ...testContext(), moment } as ReturnType<typeof testContext>);
    await writeFile(join(folder, 's/c.csv'), 'id\n3\n');
    assert.deepEqual((await readStream(elsewhere(), 's')).rows, [['1'], ['2']]);
    await writeFile(join(folder, 's/a.csv'), 'id\n4\n');
    await assert.rejects(readStream(elsewhere(), 's'), {
      kind: 'connection_lost',
      message: /changed since the load began/,
    });
  });

  it('counts rows as they were read, by footers, or by reading again', async (test) => {
    const folder = await makeFolder(test, {
      's/a.csv': 'id,n\n1,1\n2,2\n',
      's/b.csv.gz': gzipSync('id,n\n3,3\n'),
      's/c.jsonl': '{"id":4,"n":4}\n',
    });
    const fresh = openFolder(folder);
    const stream = await findStream(fresh, 's');
    assert.equal(await fresh.countRows(stream, { signal: neverAborted }), 4);
    const filter: Conditions = { combine: 'and', conditions: [{ column: 'n', operator: '>', value: 1 }] };
    assert.equal(await fresh.countRows({ ...stream, filter }, { signal: neverAborted }), 3);
    await fresh.readChunk({ ...stream, filter }, { ...keepAll().reading, chunk: { min: null, max: null } });
    assert.equal(await fresh.countRows({ ...stream, filter }, { signal: neverAborted }), 3);
  });

  it('ends with the failure of its sink, or when it is cancelled, and can be begun again', async (test) => {
    const lines = Array.from({ length: 50_000 }, (_, id) => String(id)).join('\n');
    const folder = await makeFolder(test, { 's/a.csv': `id\n${lines}\n` });
    const session = openFolder(folder);
    const stream = await findStream(session, 's');
    const chunk = { min: null, max: null };
    const full = new Error('the disk is full');
    const failing = keepAll({ sink: () => Promise.reject(full) });
    await assert.rejects(session.readChunk(stream, { ...failing.reading, chunk }), full);
    const control = new AbortController();
    const cancelled = new Error('enough');
    const sink = async (): Promise<void> => control.abort(cancelled);
    const stopping = keepAll({ sink, signal: control.signal, batchRows: 10 });
    await assert.rejects(session.readChunk(stream, { ...stopping.reading, chunk }), cancelled);
    assert.equal((await readStream(session, 's')).rows.length, 50_000);
  });

  it('warns of columns that the samples did not show, and takes more samples when told', async (test) => {
    const folder = await makeFolder(test, { 's/a.jsonl': '{"id":1}\n{"id":2}\n{"id":3,"late":"x"}\n' });
    const context = testContext();
    await readStream(openFolder(folder, { sample_rows: 2 }, context), 's');
    assert.ok(
      context.lines.some((line) => /left out: "late" \(first in .*a\.jsonl\)/.test(line)),
      context.lines.join('\n'),
    );
    const { rows } = await readStream(openFolder(folder, { sample_rows: 3 }), 's');
    assert.deepEqual(rows[2], ['3', 'x']);
  });

  it('lists a stream whose file cannot be read, which fails when it is read and hides no other', async (test) => {
    const folder = await makeFolder(test, { 'bad.csv': Buffer.from([0xff, 0xfe, 0xfd]), 'good.csv': 'id\n1\n' });
    const context = testContext();
    const session = openFolder(folder, {}, context);
    assert.deepEqual((await readStream(session, 'good')).rows, [['1']]);
    assert.ok(context.lines.some((line) => line.startsWith('warn') && line.includes('bad.csv')));
    await assert.rejects(readStream(session, 'bad'), { kind: 'value_refused' });
  });
});

describe('a filter over files', () => {
  const content =
    'id,name,score,at,flag\n1,a,1.5,2020-01-01,true\n2,b,,2021-01-01,false\n3,,2.5,2022-01-01,\n9007199254740993,c,0,2023-01-01,true\n';
  const cases: readonly (readonly [
    Conditions['combine'],
    readonly Conditions['conditions'][number][],
    readonly string[],
  ])[] = [
    [
      'and',
      [
        { column: 'id', operator: '>', value: 1 },
        { column: 'id', operator: '<=', value: '3' },
      ],
      ['2', '3'],
    ],
    ['and', [{ column: 'id', operator: '=', value: '9007199254740993' }], ['9007199254740993']],
    ['and', [{ column: 'id', operator: '>=', value: 2.5 }], ['3', '9007199254740993']],
    [
      'or',
      [
        { column: 'name', operator: '=', value: 'a' },
        { column: 'score', operator: '>', value: 2 },
      ],
      ['1', '3'],
    ],
    ['and', [{ column: 'name', operator: '!=', value: 'a' }], ['2', '9007199254740993']],
    ['and', [{ column: 'score', operator: '=', value: null }], ['2']],
    [
      'and',
      [
        { column: 'flag', operator: '!=', value: null },
        { column: 'flag', operator: '=', value: true },
      ],
      ['1', '9007199254740993'],
    ],
    ['and', [{ column: 'at', operator: '<', value: '2021-06-01T00:00:00Z' }], ['1', '2']],
  ];
  for (const [combine, conditions, expected] of cases) {
    it(`keeps the rows with ${conditions.map(({ column, operator, value }) => `${column} ${operator} ${value}`).join(` ${combine} `)}`, async (test) => {
      const folder = await makeFolder(test, { 's/a.csv': content });
      const session = openFolder(folder);
      const stream = await findStream(session, 's');
      const kept = keepAll({ batchRows: 2 });
      const selection = { ...stream, columns: stream.columns.slice(0, 1), filter: { combine, conditions } };
      await session.readChunk(selection, { ...kept.reading, chunk: { min: null, max: null } });
      assert.deepEqual(
        kept.rows,
        expected.map((id) => [id]),
      );
    });
  }

  it('that compares with a value of another kind is refused', async (test) => {
    const folder = await makeFolder(test, { 's/a.csv': content });
    const session = openFolder(folder);
    const stream = await findStream(session, 's');
    for (const column of ['score', 'at', 'flag', 'gone']) {
      const filter: Conditions = { combine: 'and', conditions: [{ column, operator: '=', value: 'x' }] };
      const read = session.readChunk({ ...stream, filter }, { ...keepAll().reading, chunk: { min: null, max: null } });
      await assert.rejects(read, { kind: 'configuration_invalid' }, column);
    }
  });
});
