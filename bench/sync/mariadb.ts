import { createConnection } from 'mysql2';
import { startTestMariadb, type TestMariadb } from '../../test/support/mariadb.ts';
import { type Figure, median, type Scale } from '../figures.ts';
import { createMariadbTrips, insertMariadbTrips } from '../tables/index.ts';
import { createJob, runJob } from './jobs.ts';
import type { Stage } from './stage.ts';

const ROWS = 10_000_000;
const BACKLOG = 1_000_000;
const PER_TRANSACTION = 10_000;

/** Full refresh of a MariaDB table into Iceberg, against reading the same rows from the wire and throwing them away. */
export async function measureMariadbLoad(stage: Stage, scale: Scale): Promise<readonly Figure[]> {
  const rows = scale.smoke ? PER_TRANSACTION : ROWS;
  const source = await startTestMariadb({ settings: { 'innodb-buffer-pool-size': '2G' } });
  try {
    await createMariadbTrips(source, rows);
    const job = await createJob(stage, { name: 'mariadb_load', ...kindOf(source), mode: 'full_refresh' });
    const floors: number[] = [];
    const rates: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < scale.rounds; round++) {
      floors.push(rows / (await wireSeconds(source)));
      const ran = await runJob(stage, job);
      rates.push(ran.rate);
      peaks.push(ran.peak);
    }
    const who = 'MariaDB trips, 1 reader';
    const ratio = median(rates) / median(floors);
    return [
      { name: `${who}: ratio to a raw read of the wire`, value: ratio, unit: '×', reach: '>= 0.8' },
      { name: `${who}: rate`, value: median(rates), unit: 'rows/s' },
      { name: `${who}: peak memory of a process`, value: Math.max(...peaks), unit: 'MB', reach: '<= 350' },
      { name: 'MariaDB trips: floor', value: median(floors), unit: 'rows/s' },
    ];
  } finally {
    await source.stop();
  }
}

/** A backlog of changes in MariaDB's binary log, appended to an Iceberg table. */
export async function measureMariadbChanges(stage: Stage, scale: Scale): Promise<readonly Figure[]> {
  const changes = scale.smoke ? PER_TRANSACTION : BACKLOG;
  const source = await startTestMariadb({ settings: { 'innodb-buffer-pool-size': '1G' } });
  try {
    await createMariadbTrips(source, 0);
    const kind = kindOf(source);
    const config = { ...kind.config, update_method: { type: 'CDC', initial_wait_time: 10 } };
    const job = await createJob(stage, { name: 'mariadb_changes', ...kind, config, mode: 'cdc', append: true });
    await runJob(stage, job);
    const rates: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < scale.rounds; round++) {
      for (let at = 0; at < changes; at += PER_TRANSACTION) {
        await insertMariadbTrips(source, 1 + round * changes + at, PER_TRANSACTION);
      }
      const ran = await runJob(stage, job);
      if (ran.rows !== changes) throw new Error(`${ran.rows} changes were committed, not ${changes}`);
      rates.push(ran.rate);
      peaks.push(ran.peak);
    }
    const who = 'MariaDB changes, append';
    return [
      { name: `${who}: rate`, value: median(rates), unit: 'changes/s', reach: '>= 400000' },
      { name: `${who}: peak memory of a process`, value: Math.max(...peaks), unit: 'MB', reach: '<= 350' },
    ];
  } finally {
    await source.stop();
  }
}

function kindOf({ config }: TestMariadb) {
  return { type: 'mysql', config: { ...config }, table: 'trips' } as const;
}

/** The end of a result: an EOF packet, or the OK packet that newer clients get in its place. */
function endsResult(bytes: Buffer): boolean {
  const isLast = (body: number): boolean => {
    const at = bytes.length - body - 4;
    return at >= 0 && bytes.readUIntLE(at, 3) === body && bytes[at + 4] === 0xfe;
  };
  return isLast(5) || isLast(7);
}

/** Seconds to get all rows by the binary protocol, undecoded. */
async function wireSeconds({ config }: TestMariadb): Promise<number> {
  const { hosts: host, port, database, username: user, password } = config;
  const connection = createConnection({ host, port, database, user, password });
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  const { stream } = connection as unknown as { stream: NodeJS.ReadableStream };
  const statement = await new Promise<{ execute(values: unknown[]): void }>((resolve, reject) => {
    connection.prepare('select * from trips', (error, prepared) =>
      error ? reject(error) : resolve(prepared as never),
    );
  });
  const begun = performance.now();
  statement.execute([]);
  stream.removeAllListeners('data');
  await new Promise<void>((resolve) => {
    stream.on('data', (bytes: Buffer) => {
      if (endsResult(bytes)) resolve();
    });
  });
  const seconds = (performance.now() - begun) / 1000;
  connection.destroy();
  return seconds;
}
