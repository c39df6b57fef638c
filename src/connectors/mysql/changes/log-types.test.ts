import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../../test/support/mariadb.ts';
import { openSource, type OpenedSource } from '../../../../test/support/source.ts';
import { keepChanges, streamAfter, type KeptChange } from '../../kit/conformance/changes-place.ts';
import { GOLDENS } from '../goldens.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();

let source: TestMariadb;
let opened: OpenedSource;
let changes: readonly KeptChange[];

before(async () => {
  source = await startTestMariadb();
  for (const [at, [declared]] of GOLDENS.entries()) {
    await source.run(`create table golden_${at} (id int primary key, v ${declared}, w ${declared}, behind int)`);
  }
  opened = await openSource(connector, { ...source.config, update_method: { type: 'CDC' } });
  const log = opened.session.changeLog!;
  const from = await log.end({ signal });
  const streams = [];
  for (const [at, [, , values]] of GOLDENS.entries()) {
    const rows = values.map(([literal], index) => `(${index}, ${literal}, null, ${index})`);
    await source.run(`set sql_mode = 'NO_BACKSLASH_ESCAPES'; insert into golden_${at} values ${rows.join(', ')};
      update golden_${at} set w = v; update golden_${at} set v = null; delete from golden_${at}`);
    streams.push(streamAfter(await opened.stream(`golden_${at}`), from));
  }
  await log.check(
    streams.map(({ selection }) => selection),
    { signal },
  );
  const kept = keepChanges({ streams, from, upTo: await log.end({ signal }), wantsBoundary: () => false });
  assert.equal((await log.read(kept)).reason, 'reached');
  changes = kept.changes;
});
after(async () => {
  await opened?.session.close();
  await source?.stop();
});

describe('values of every type arrive exactly from the log, in all kinds of changes', () => {
  for (const [at, [declared, lake, values]] of GOLDENS.entries()) {
    it(`${declared} as ${lake}`, () => {
      const found = changes.filter(({ stream }) => stream === at).map(({ operation, row }) => [operation, ...row]);
      const texts = values.map(([, text]) => text);
      const of = (operation: string, row: (text: string) => (string | null)[]) =>
        texts.map((text, index) => [operation, String(index), ...row(text), String(index)]);
      assert.deepEqual(found, [
        ...of('inserted', (text) => [text, null]),
        ...of('updated', (text) => [text, text]),
        ...of('updated', (text) => [null, text]),
        ...of('deleted', (text) => [null, text]),
      ]);
    });
  }
});
