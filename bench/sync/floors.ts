import { spawn, spawnSync } from 'node:child_process';
import { Client as Postgres } from 'pg';
import { createTakenSocket, takeBytes } from '../../src/connectors/kit/index.ts';

const present = new Map<string, boolean>();

/** Whether the program is on this machine; says once what stands in for it. */
function has(program: string): boolean {
  let found = present.get(program);
  if (found === undefined) {
    found = spawnSync(program, ['--version']).status === 0;
    present.set(program, found);
    if (!found) console.log(`(no ${program} here: the floor is a reader of our own that throws the bytes away)`);
  }
  return found;
}

/** Seconds that the program takes. */
export async function secondsOf(program: string, args: readonly string[]): Promise<number> {
  const begun = performance.now();
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))));
  });
  return (performance.now() - begun) / 1000;
}

/** Seconds to send a table of PostgreSQL, in binary, into the null device: what the source can give to anyone. */
export async function copySeconds(url: string, table: string): Promise<number> {
  const copy = `copy ${table} to stdout (format binary)`;
  return has('psql') ? secondsOf('psql', [url, '-qc', copy]) : readAndDrop(url, copy);
}

/** Seconds until `pg_recvlogical` has thrown away the changes of the slot up to the position. */
export async function changesSeconds(
  url: string,
  slot: { readonly name: string; readonly publication: string; readonly upTo: string },
): Promise<number | undefined> {
  if (!has('pg_recvlogical')) return undefined;
  const options = ['-o', 'proto_version=1', '-o', `publication_names=${slot.publication}`, '-o', 'binary=true'];
  const place = ['--slot', slot.name, '--start', '--no-loop', '--endpos', slot.upTo, '-f', '/dev/null'];
  return secondsOf('pg_recvlogical', ['-d', url, ...place, ...options]);
}

async function readAndDrop(url: string, copy: string): Promise<number> {
  const postgres = new Postgres({ connectionString: url, stream: createTakenSocket });
  await postgres.connect();
  const { stream } = (postgres as unknown as { connection: { stream: ReturnType<typeof createTakenSocket> } })
    .connection;
  const body = Buffer.from(`${copy}\0`);
  const head = Buffer.from([0x51, 0, 0, 0, 0]);
  head.writeInt32BE(body.length + 4, 1);
  const begun = performance.now();
  await new Promise<void>((resolve) => {
    // "Ready for query" is the last message: Z, length 5, one letter.
    const intake = takeBytes(stream, (bytes) => {
      if (bytes.at(-6) !== 0x5a || bytes.at(-2) !== 5 || bytes.at(-3) !== 0) return;
      intake.end();
      resolve();
    });
    stream.write(Buffer.concat([head, body]));
  });
  const seconds = (performance.now() - begun) / 1000;
  await postgres.end();
  return seconds;
}
