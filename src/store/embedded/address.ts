import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Client } from 'pg';
import { addressOptions } from '../address.ts';
import type { Layout } from './layout.ts';
import type { Postmaster } from './postmaster.ts';

const DATABASE = 'penstock';
const USER = 'penstock';

/** The address over the socket; on Windows, which has none here, over TCP with the password. */
export async function addressOf(layout: Layout, postmaster: Postmaster): Promise<string> {
  if (layout.socketDir === null) return tcpAddressOf(layout, postmaster.port);
  return `postgresql://${USER}@${encodeURIComponent(layout.socketDir)}:${postmaster.port}/${DATABASE}`;
}

export async function tcpAddressOf(layout: Layout, port: number): Promise<string> {
  const password = (await readFile(layout.passwordFile, 'utf8')).trim();
  return `postgresql://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}`;
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  return url.replace(/\/[^/?]*(\?|$)/, `/${encodeURIComponent(database)}$1`);
}

/** Whether the server answers at this address; makes our database when it is not there yet. */
export async function ensureDatabase(url: string): Promise<void> {
  const client = new Client({ ...addressOptions(withDatabase(url, 'postgres')), connectionTimeoutMillis: 10_000 });
  // One that breaks fails the statement; without a handler it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

/** A port of 127.0.0.1 that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
