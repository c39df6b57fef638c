import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startTestSource, type TestSource } from '../support/source.ts';
import { createJob } from './sync-support.ts';

let source: TestSource;
before(async () => {
  source = await startTestSource();
  await source.run(
    String.raw`create table "../a""b'; drop table c; --"
      ("__proto__" bigint primary key, "constructor" text, "x""y'; --" int, "{}" text, "\back" text, "${'${x}`'}" text);
     insert into "../a""b'; drop table c; --" values (1, 'c', 2, 'q', 'w', 'e'), (2, null, null, null, null, null)`,
  );
});
after(() => source?.stop());

for (const destination of ['parquet', 'iceberg'] as const) {
  for (const mode of ['full_refresh', 'incremental'] as const) {
    it(`${destination}, ${mode}: names with quotes, commands, paths and built-in words are only names`, async (t) => {
      const filter = `__proto__ >= "0' or 1=1 --"`;
      const job = await createJob(source, { destination, mode, cursor: '__proto__' });
      t.after(() => job.remove());
      const first = await job.attempt();
      assert.equal(first.failure, undefined);
      assert.equal(first.result?.progress.records, 2);
      const [result] = Object.values(first.result!.progress.reconciliation);
      assert.equal(result?.verdict, 'equal');
      const second = await job.attempt();
      assert.equal(second.result?.progress.records, mode === 'incremental' ? 0 : 2);
      const hostile = await createJob(source, { destination, mode, cursor: '__proto__', selection: { filter } });
      t.after(() => hostile.remove());
      const refused = await hostile.attempt();
      assert.ok(refused.failure !== undefined, 'the filter is refused');
      assert.ok(
        refused.lines.some(({ message }) => /filter|has no column/.test(message)),
        JSON.stringify(refused.lines),
      );
      const [left] = await source.run(
        `select count(*)::int as n from pg_class where relname like '../a%' and relkind = 'r'`,
      );
      assert.deepEqual(left, { n: 1 });
    });
  }
}
