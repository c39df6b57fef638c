import { chmod, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { demoTables } from './flights.ts';
import { count, say } from './terminal.ts';

/** Fills an empty PostgreSQL with the demo's tables; answers rows by table. */
export async function loadSource(url: string): Promise<Record<string, number>> {
  const client = new Client(url);
  await client.connect();
  const scratch = join(tmpdir(), `penstock-demo-${process.pid}`);
  await mkdir(scratch, { recursive: true });
  await chmod(scratch, 0o755);
  const rows: Record<string, number> = {};
  try {
    for (const table of demoTables) {
      const file = join(scratch, `${table.name}.csv`);
      await table.writeCsv(file);
      await chmod(file, 0o644);
      await client.query(`create table ${table.name} (${table.ddl})`);
      const copied = await client.query(`copy ${table.name} (${table.columns}) from '${file}' (format csv)`);
      rows[table.name] = copied.rowCount ?? 0;
      say(`${table.name}: ${count(rows[table.name]!)} rows`);
    }
    await client.query('analyze');
    return rows;
  } finally {
    await client.end();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Changes one flight, as an application would. */
export async function delayOneFlight(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query('update flights set delay_minutes = delay_minutes + 60, updated_at = now() where id = 1234567');
  await client.end();
}
