import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createTestStore, type TestStore } from '../../test/support/database.ts';
import { readColumns, rowsOf } from './rows-of.ts';

let test: TestStore;

before(async () => {
  test = await createTestStore();
});

after(async () => {
  await test?.close();
});

describe('rows for a statement', () => {
  it('arrive as they were given, whatever is in a text', async () => {
    const at = new Date('2026-03-01T12:34:56.789Z');
    const texts = ['', 'NULL', null, null, 'a,b', '{x}', 'a "b"', 'a \\ b', '\\"', 'two\nlines', ' ž ', undefined];
    const given = texts.map((text, place) => ({ place, text, isOdd: place % 2 === 1, at: place === 2 ? null : at }));
    const columns = readColumns('place integer, text text, isOdd boolean, at timestamptz');
    const { rows } = await sql`select * from ${rowsOf(columns, given)} order by place`.execute(test.store.db);
    assert.deepEqual(
      rows,
      given.map((row) => ({ ...row, text: row.text ?? null })),
    );
  });

  it('are none when none were given', async () => {
    const { rows } = await sql`select * from ${rowsOf(readColumns('id text'), [])}`.execute(test.store.db);
    assert.deepEqual(rows, []);
  });
});
