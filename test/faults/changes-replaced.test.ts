import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb } from '../support/mariadb.ts';
import { publish, startLogSource } from './changes-support.ts';
import { createJob } from './sync-support.ts';
import type { JobOptions, LakeJob, Outcome } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';

interface Source extends Required<Pick<JobOptions, 'connection'>> {
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const SERVERS: readonly { readonly name: string; start(): Promise<Source> }[] = [
  {
    name: 'PostgreSQL',
    async start() {
      const source = await startLogSource();
      await publish(source);
      return source;
    },
  },
  {
    name: 'MariaDB',
    async start() {
      const { config, run, stop } = await startTestMariadb();
      return { run, stop, connection: { type: 'mysql', config: { ...config, update_method: { type: 'CDC' } } } };
    },
  },
];

const FIRST = `create table people (id int primary key, word varchar(20)); insert into people values (1, 'a'), (2, 'b')`;
const OTHER = `create table people (id int primary key, word varchar(20), age int); insert into people values (2, 'new', 7)`;

function messages({ failure, lines }: Outcome): string {
  assert.equal(failure, undefined, failure?.message);
  return lines.map(({ message }) => message).join('\n');
}

const texts = (rows: readonly Row[]): string[] =>
  rows
    .filter((row) => row['_op_type'] !== 'd')
    .map(({ id, word, age }) => [id, word, age ?? ''].map(String).join('|'))
    .toSorted();

for (const { name, start } of SERVERS) {
  describe(`a table of ${name} that another one takes the place of`, () => {
    let source: Source;
    before(async () => {
      source = await start();
    });
    after(() => source?.stop());

    /** A job whose first run has loaded the first table. */
    async function afterFirstRun(options: Partial<JobOptions>, work: (job: LakeJob) => Promise<void>): Promise<void> {
      await source.run(FIRST);
      const { connection } = source;
      const job = await createJob(connection, {
        destination: 'iceberg',
        mode: 'cdc',
        connection,
        streams: ['people'],
        ...options,
      });
      try {
        messages(await job.attempt());
        await work(job);
      } finally {
        await job.remove();
        await source.run('drop table if exists people; drop table if exists people_before');
      }
    }

    const REPLACING = [
      ['made anew', `insert into people values (3, 'lost'); drop table people; ${OTHER}`],
      [
        'swapped in',
        `${OTHER.replaceAll('people', 'people_new')};
        alter table people rename to people_before; alter table people_new rename to people;
        insert into people_before values (4, 'elsewhere')`,
      ],
    ] as const;
    for (const [how, statements] of REPLACING) {
      it(`between two runs, ${how}, is loaded anew with a warning, and none of the earlier rows stay`, () =>
        afterFirstRun({}, async (job) => {
          await source.run(statements);
          const outcome = await job.attempt();
          assert.match(messages(outcome), /people: another table bears its name at the source now; it is loaded again/);
          assert.ok(outcome.result!.warnings > 0);
          assert.deepEqual(texts(await job.read('people')), ['2|new|7']);
          await source.run(`insert into people values (5, 'later', 1)`);
          assert.doesNotMatch(messages(await job.attempt()), /loaded again/);
          assert.deepEqual(texts(await job.read('people')), ['2|new|7', '5|later|1']);
        }));
    }

    it('for a while only, leaves nothing of itself behind', () =>
      afterFirstRun({}, async (job) => {
        await source.run(
          `alter table people rename to people_before; ${OTHER};
           drop table people; alter table people_before rename to people; insert into people values (6, 'own')`,
        );
        messages(await job.attempt());
        assert.deepEqual(texts(await job.read('people')), ['1|a|', '2|b|', '6|own|']);
      }));

    it('is followed with a warning where only changes are wanted', () =>
      afterFirstRun({ mode: 'strict_cdc' }, async (job) => {
        await source.run(`drop table people; ${OTHER}`);
        assert.match(messages(await job.attempt()), /its changes are added to those of the earlier one/);
        assert.deepEqual(texts(await job.read('people')), ['2|new|7']);
        await source.run(`insert into people values (7, 'next', 2)`);
        assert.doesNotMatch(messages(await job.attempt()), /another table/);
        assert.deepEqual(texts(await job.read('people')), ['2|new|7', '7|next|2']);
      }));

    it('is not taken for another one when it was altered or written anew by its server', () =>
      afterFirstRun({}, async (job) => {
        await source.run('alter table people add column age int');
        await source.run(name === 'PostgreSQL' ? 'vacuum full people' : 'optimize table people');
        await source.run(`insert into people values (8, 'kept', 3)`);
        assert.doesNotMatch(messages(await job.attempt()), /another table|people: .*loaded a/);
        assert.deepEqual(texts(await job.read('people')), ['1|a|', '2|b|', '8|kept|3']);
      }));
  });
}
