import { execFile } from 'node:child_process';
import { chown, copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { Programs } from './binaries.ts';
import type { Layout } from './layout.ts';
import { ACCESS_RULES, initArguments, localesFor } from './settings.ts';

/**
 * Makes the cluster unless it is there. It is made beside its place and moved there when it is whole, so that a crash
 * in between leaves nothing half-finished. A cluster of another major version is refused.
 */
export async function ensureCluster(layout: Layout, programs: Programs, world: World): Promise<void> {
  const version = await readFile(join(layout.clusterDir, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) return initialise(layout, programs, world);
  if (Number(version) !== programs.major) {
    throw new Failure(
      'configuration_invalid',
      `the database in ${layout.clusterDir} is of PostgreSQL ${version.trim()}, the programs are of ${programs.major}`,
      { advice: 'Back up with the version of Penstock that made it, then restore into an empty data folder.' },
    );
  }
}

async function initialise(layout: Layout, programs: Programs, world: World): Promise<void> {
  const draft = `${layout.clusterDir}.init`;
  const failures: string[] = [];
  await writePassword(layout, world);
  for (const locale of localesFor(programs.major)) {
    await rm(draft, { recursive: true, force: true });
    const args = ['-D', draft, ...initArguments(programs.major, locale), `--pwfile=${layout.passwordFile}`];
    try {
      await promisify(execFile)(programs.initdb, args, {
        ...layout.account,
        env: serverEnvironment(),
        cwd: layout.serverDir,
      });
      await writeAccessRules(draft, layout);
      await rename(draft, layout.clusterDir);
      return;
    } catch (error) {
      failures.push(String((error as { stderr?: string }).stderr || (error as Error).message).trim());
    }
  }
  throw new Failure('configuration_invalid', `the embedded database could not be made: ${failures.join('; ')}`, {
    advice: 'Read the message of initdb; PENSTOCK_DATABASE_URL takes any PostgreSQL >= 15 instead.',
  });
}

async function writePassword(layout: Layout, world: World): Promise<void> {
  await writeFile(layout.passwordFile, world.random(24).toString('base64url'), { mode: 0o600 });
  if (layout.account) await chown(layout.passwordFile, layout.account.uid, layout.account.gid);
}

/** Keeps initdb's own access rules beside ours, for whoever looks for them. */
async function writeAccessRules(cluster: string, layout: Layout): Promise<void> {
  if (layout.socketDir === null) return;
  const file = join(cluster, 'pg_hba.conf');
  await copyFile(file, `${file}.initdb`);
  await writeFile(file, ACCESS_RULES);
  if (layout.account) await chown(`${file}.initdb`, layout.account.uid, layout.account.gid);
}

/** What the server's programs see: nothing of ours, so that a `PG…` variable cannot change the server. */
export function serverEnvironment(): NodeJS.ProcessEnv | undefined {
  return process.platform === 'win32' ? undefined : { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };
}
