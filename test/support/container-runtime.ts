import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { libraryPath, unpackPackages } from './debian-packages.ts';
import { findLeftOverFolders } from './left-over-folders.ts';
import { exists, makeOnce } from './made-once.ts';

export type RuntimeKind = 'docker' | 'podman';

export interface TestRuntime {
  /** For PENSTOCK_CONTAINER_PROGRAM. */
  readonly program: string;
  readonly version: string;
  /** An image with busybox under all its names; no registry has it. */
  readonly image: string;
  /** The image as a tar of its one layer. */
  readonly layer: string;
  /** Names of the containers that are there. */
  containers(which?: 'running' | 'all'): Promise<string[]>;
  /** Ends what `program` talks to, if there is such a thing. */
  endDaemon(): Promise<void>;
  /** Ends all containers and the daemon, and removes what they wrote. */
  stop(): Promise<void>;
}

const run = promisify(execFile);
const USER = userInfo().uid;
const CACHE = join(tmpdir(), `penstock-dev-containers-${USER}`);
/** Short: podman takes no paths of more than 50 characters for what it keeps of running containers. */
const FOLDER_PREFIX = `penstock-test-oci-${USER}-`;
const IMAGE = 'localhost/penstock/busybox:1';
const PACKAGES = {
  docker: ['docker.io', 'containerd', 'runc'],
  podman: ['podman', 'conmon', 'runc', 'golang-github-containers-common', 'golang-github-containers-image'],
} as const;
// The end of our side of the pipe, which the kernel closes when we are killed, ends the daemon.
const WATCHED_DAEMON = 'exec 3<&0; dockerd "$@" & daemon=$!; (read line <&3; kill $daemon) & wait $daemon';
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * A real container runtime with a store of its own: the packages of the distribution, unpacked below the temporary folder.
 * It trusts the registry at this loopback `host:port` without TLS. Where the machine cannot run containers it answers why: that needs root, cgroups and mounts, which sandboxes may refuse.
 */
export async function startTestRuntime(
  kind: RuntimeKind,
  insecureRegistry: string,
): Promise<TestRuntime | { readonly missing: string }> {
  if (!(await exists('/usr/bin/apt-get'))) {
    return {
      missing: `no ${kind} for tests: its packages come from Debian's archive, and this machine has no apt-get`,
    };
  }
  await removeLeftOvers();
  const root = join(CACHE, kind);
  await makeOnce(root, (folder) => unpackPackages(folder, PACKAGES[kind]));
  await makeOnce(join(CACHE, 'image'), makeImage);
  const folder = await mkdtemp(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const place: Place = { root, folder, insecureRegistry, libraries: await libraryPath(root) };
  const layer = join(CACHE, 'image', 'image.tar');
  const daemon = kind === 'docker' ? await startDaemon(place) : NO_DAEMON;
  const program = await (kind === 'docker' ? writeDockerClient(place) : writePodman(place));
  const stop = async (): Promise<void> => {
    await removeContainers(program);
    await daemon.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await run(program, ['import', layer, IMAGE]);
    // The limits that every container of ours has: a kernel may grant containers and refuse these.
    const limits = ['--memory=64m', '--memory-swap=64m', '--pids-limit=64', '--cpus=0.5'];
    await run(program, ['run', '--rm', '--network=none', ...limits, '--', IMAGE, 'true']);
    const { stdout } = await run(program, ['--version']);
    const containers: TestRuntime['containers'] = (which) => listContainers(program, which);
    return { program, version: stdout.trim(), image: IMAGE, layer, containers, endDaemon: daemon.end, stop };
  } catch (error) {
    const refusal = daemon.refusal();
    await stop();
    return {
      missing: `${kind} cannot run containers with limits here: ${(error as { stderr?: string }).stderr ?? error}${refusal}`,
    };
  }
}

interface Place {
  /** Of the unpacked packages. */
  readonly root: string;
  readonly folder: string;
  readonly insecureRegistry: string;
  readonly libraries: string;
}

interface Daemon {
  end(): Promise<void>;
  /** What it has said, when it has ended at once. */
  refusal(): string;
}

const NO_DAEMON: Daemon = { end: async () => {}, refusal: () => '' };

async function makeImage(folder: string): Promise<void> {
  await unpackPackages(join(folder, 'unpacked'), ['busybox-static']);
  const tree = join(folder, 'tree');
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp', 'work'])
    await mkdir(join(tree, name), { recursive: true });
  const places = ['usr/bin/busybox', 'bin/busybox'].map((path) => join(folder, 'unpacked', path));
  const busybox = (await exists(places[0]!)) ? places[0]! : places[1]!;
  await run('cp', [busybox, join(tree, 'bin/busybox')]);
  const { stdout } = await run(busybox, ['--list']);
  const names = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  await Promise.all(names.map((name) => symlink('busybox', join(tree, 'bin', name))));
  await run('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', join(folder, 'image.tar'), '.']);
}

/** Podman as the packages would install it, but in folders of its own. */
async function writePodman({ root, folder, insecureRegistry, libraries }: Place): Promise<string> {
  const home = join(folder, 'home');
  const settings = join(home, '.config/containers');
  await mkdir(settings, { recursive: true });
  await writeFile(join(settings, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  const registry = `[[registry]]\nlocation = "${insecureRegistry}"\ninsecure = true\n`;
  await writeFile(join(settings, 'registries.conf'), registry);
  const configuration = [
    '[containers]',
    // Without these it raises them to what the kernel can do, which is refused where root may not raise limits.
    'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
    `seccomp_profile = "${join(root, 'usr/share/containers/seccomp.json')}"`,
    '[engine]',
    // Takes old, new and mixed cgroups, unlike crun.
    `runtime = "${join(root, 'usr/sbin/runc')}"`,
    `conmon_path = ["${join(root, 'usr/bin/conmon')}"]`,
    'cgroup_manager = "cgroupfs"',
    'events_logger = "none"',
    'lock_type = "file"',
    `tmp_dir = "${join(folder, 'tmp')}"`,
  ];
  await writeFile(join(folder, 'containers.conf'), `${configuration.join('\n')}\n`);
  const store = `--root '${join(folder, 'root')}' --runroot '${join(folder, 'r')}' --storage-driver vfs`;
  return writeProgram(join(folder, 'podman'), [
    `export HOME='${home}' CONTAINERS_CONF='${join(folder, 'containers.conf')}' LD_LIBRARY_PATH='${libraries}'`,
    `exec '${join(root, 'usr/bin/podman')}' ${store} "$@"`,
  ]);
}

function writeDockerClient({ root, folder, libraries }: Place): Promise<string> {
  return writeProgram(join(folder, 'docker'), [
    `export DOCKER_HOST='unix://${join(folder, 'socket')}' LD_LIBRARY_PATH='${libraries}'`,
    `exec '${join(root, 'usr/bin/docker')}' "$@"`,
  ]);
}

async function writeProgram(path: string, lines: readonly string[]): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Answers once the daemon listens or has ended. It also ends with this process, however that dies. */
async function startDaemon({ root, folder, libraries }: Place): Promise<Daemon> {
  await writeFile(join(folder, 'daemon.json'), '{}');
  const args = [
    `--config-file=${join(folder, 'daemon.json')}`,
    `--host=unix://${join(folder, 'socket')}`,
    `--data-root=${join(folder, 'data')}`,
    `--exec-root=${join(folder, 'exec')}`,
    `--pidfile=${join(folder, 'pid')}`,
    '--storage-driver=vfs',
    '--bridge=none',
    '--iptables=false',
    '--ip6tables=false',
    '--shutdown-timeout=2',
  ];
  const daemon = spawn('/bin/sh', ['-c', WATCHED_DAEMON, 'sh', ...args], {
    env: { PATH: `${join(root, 'usr/sbin')}:${join(root, 'usr/bin')}:${SYSTEM_PATH}`, LD_LIBRARY_PATH: libraries },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  const listens = new Promise<void>((resolve) => {
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
      if (said.includes('API listen on')) resolve();
    });
  });
  await Promise.race([listens, ended]);
  const end = async (): Promise<void> => {
    daemon.stdin.end();
    await ended;
  };
  return { end, refusal: () => (daemon.exitCode === null ? '' : said) };
}

async function listContainers(program: string, which: 'running' | 'all' = 'all'): Promise<string[]> {
  const { stdout } = await run(program, ['ps', `--all=${which === 'all'}`, '--format={{.Names}}']);
  return stdout.split('\n').filter((name) => name !== '');
}

async function removeContainers(program: string): Promise<void> {
  const names = await listContainers(program).catch(() => []);
  if (names.length > 0) await run(program, ['rm', '--force', ...names]);
}

/** Of test processes that were killed; their daemons have ended with them. */
async function removeLeftOvers(): Promise<void> {
  for (const folder of await findLeftOverFolders(FOLDER_PREFIX)) {
    if (await exists(join(folder, 'podman'))) await removeContainers(join(folder, 'podman'));
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}
