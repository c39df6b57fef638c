/** Child of `http.ts` and `orchestrations.ts`: the whole product on a free port, which tells its address, a token, and when asked its CPU, and how long jobs waited and took. */
import { readConfig } from '../src/config.ts';
import { createPlatform } from '../src/platform.ts';
import { createWorld } from '../src/world.ts';

const password = 'bench-password';
const config = readConfig({
  PENSTOCK_DATA_DIR: process.argv[2],
  PENSTOCK_PORT: '0',
  PENSTOCK_ADMIN_PASSWORD: password,
  PENSTOCK_LOG_LEVEL: 'warn',
  ...(process.argv[3] && { PENSTOCK_TRUSTED_COMPONENT_HOSTS: process.argv[3] }),
});
const platform = await createPlatform(config, createWorld(), { role: 'serve' });
const url = await platform.start();
const { token, cookie } = await platform.access.signIn({ username: 'admin', password, address: 'bench' });

/** Milliseconds from the acceptance of each job to the claim of its first task, by the database's clock. */
async function readWaits(): Promise<readonly number[]> {
  const { rows } = await platform.store.pool.query<{ ms: number }>(
    `select (extract(epoch from started_at - queued_at) * 1000)::float8 as ms from run
     where kind = 'orchestration' and started_at is not null`,
  );
  return rows.map(({ ms }) => ms);
}

/** Milliseconds from the acceptance of the first of these jobs to the end of the last, by the database's clock. */
async function readSpan(numbers: readonly number[]): Promise<number> {
  const { rows } = await platform.store.pool.query<{ ms: number }>(
    `select (extract(epoch from max(ended_at) - min(queued_at)) * 1000)::float8 as ms from run where number = any($1)`,
    [numbers],
  );
  return rows[0]!.ms;
}

process.on('message', (question: string | { readonly span: readonly number[] }) => {
  if (typeof question === 'object') return void readSpan(question.span).then((span) => process.send!({ span }));
  if (question === 'cpu') process.send!({ cpu: process.cpuUsage() });
  else if (question === 'waits') void readWaits().then((waits) => process.send!({ waits }));
  else void platform.close(0).then(() => process.disconnect());
});
process.send!({ url, token, cookie });
