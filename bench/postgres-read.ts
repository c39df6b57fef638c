import { spawn } from 'node:child_process';
import { openConnector, type ServerAddress } from './source.ts';

export interface ReadMeasure {
  readonly rows: number;
  /** Decoded into column buffers and thrown away. */
  readonly rowsPerSecond: number;
  readonly cpuSecondsPerMillionRows: number;
  readonly peakMemoryBytes: number;
}

/** Reads a whole table through the connector, one chunk at a time, and discards the batches. */
export async function measureDecode(server: ServerAddress, table: string): Promise<ReadMeasure> {
  const { session, stream, signal } = await openConnector(server, table);
  let rows = 0;
  let peakMemoryBytes = 0;
  try {
    const plan = await session.planLoad(stream, { targetBytes: 2 ** 31, signal });
    const cpu = process.cpuUsage();
    const started = performance.now();
    for (const chunk of plan.chunks) {
      await session.readChunk(stream, {
        chunk,
        signal,
        batchRows: 122_880,
        batchBytes: 64 * 1024 * 1024,
        refuse: ({ key, reason }) => {
          throw new Error(`${key}: ${reason}`);
        },
        sink: (batch) => {
          rows += batch.rows;
          peakMemoryBytes = Math.max(peakMemoryBytes, process.memoryUsage.rss());
          return Promise.resolve();
        },
      });
    }
    const seconds = (performance.now() - started) / 1000;
    const used = process.cpuUsage(cpu);
    return {
      rows,
      rowsPerSecond: rows / seconds,
      cpuSecondsPerMillionRows: (used.user + used.system) / rows,
      peakMemoryBytes,
    };
  } finally {
    await session.close();
  }
}

/** The floor: rows per second of `psql` copying the table in binary form to nowhere; undefined where there is no psql. */
export function measureFloor(server: ServerAddress, table: string, rows: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const copy = `copy ${table} to stdout (format binary)`;
    const psql = spawn(
      'psql',
      ['-h', server.host, '-p', String(server.port), '-U', server.username, '-d', server.database, '-c', copy],
      { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PGPASSWORD: server.password } },
    );
    psql.on('error', () => resolve(undefined));
    psql.on('exit', (code) => {
      if (code === 0) resolve(rows / ((performance.now() - started) / 1000));
      else reject(new Error(`psql ended with ${code}`));
    });
  });
}
