import { execFile } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The C library is the machine's own; the other stands in for systemd's. */
const NOT_WANTED = /^lib(c6|c-bin|crypt1|elogind)/;

/**
 * Packages of this machine's distribution, and the libraries they stand on, unpacked into `folder` and not installed: no
 * rights are needed and nothing of the machine is changed. Their own lists serve where the machine's are empty or too old.
 */
export async function unpackPackages(folder: string, packages: readonly string[]): Promise<void> {
  const downloads = join(folder, 'downloads');
  const lists = join(folder, 'lists');
  await mkdir(downloads, { recursive: true });
  await mkdir(join(lists, 'partial'), { recursive: true });
  const fetchPackages = async (options: readonly string[]): Promise<void> => {
    const wanted = await listWithLibraries(options, packages);
    await run('apt-get', [...options, 'download', ...wanted], { cwd: downloads });
  };
  await fetchPackages([]).catch(async () => {
    const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${folder}`, '-o', 'APT::Sandbox::User='];
    await run('apt-get', [...own, 'update']);
    await fetchPackages(own);
  });
  for (const file of await readdir(downloads)) {
    if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(downloads, file), folder]);
  }
  await Promise.all([downloads, lists].map((used) => rm(used, { recursive: true, force: true })));
}

async function listWithLibraries(options: readonly string[], packages: readonly string[]): Promise<string[]> {
  const without = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (kind) => `--no-${kind}`,
  );
  const all = new Set(packages);
  for (let asked = [...packages]; asked.length > 0;) {
    const { stdout } = await run('apt-cache', [...options, 'depends', ...without, ...asked], { maxBuffer: 1 << 24 });
    const names = [...stdout.matchAll(/^[ |]*(?:Pre)?Depends: ((?:lib|zlib)[^<:\s]*)$/gm)].map((match) => match[1]!);
    asked = [...new Set(names)].filter((name) => !all.has(name) && !NOT_WANTED.test(name));
    for (const name of asked) all.add(name);
  }
  return [...all];
}

/** Where the unpacked libraries lie, as `LD_LIBRARY_PATH`. */
export async function libraryPath(root: string): Promise<string> {
  const names = (await readdir(join(root, 'usr/lib'))).filter((name) => name.includes('linux'));
  return names.flatMap((name) => [`usr/lib/${name}`, `lib/${name}`].map((path) => join(root, path))).join(':');
}
