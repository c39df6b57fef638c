/** What a container is given. */
export interface ContainerAsk {
  readonly image: string;
  readonly command?: string;
  readonly args: readonly string[];
  readonly cpu: number;
  readonly memory: string;
}

export interface ContainerPlace {
  /** By it the container is found again: when it is to end, and after a crash of this server. */
  readonly name: string;
  /** File of the variables, so that their values are on no command line. */
  readonly envFile: string;
}

const MOST_PROCESSES = 512;
const WORK_BYTES = 1024 ** 3;

/**
 * The arguments of `docker run` (or `podman run`). The container has no network, no rights besides those of a plain user's
 * programs, nothing of this machine's files, and a fresh empty working folder in memory. What people give stands behind
 * `--`, or joined to its option by `=`, so that none of it is taken for an option.
 */
export function buildCommandLine(ask: ContainerAsk, { name, envFile }: ContainerPlace): string[] {
  return [
    'run',
    '--rm',
    `--name=${name}`,
    '--network=none',
    '--cap-drop=ALL',
    '--security-opt=no-new-privileges',
    '--read-only',
    `--tmpfs=/work:rw,nosuid,nodev,mode=1777,size=${WORK_BYTES}`,
    `--tmpfs=/tmp:rw,nosuid,nodev,mode=1777,size=${WORK_BYTES}`,
    '--workdir=/work',
    `--pids-limit=${MOST_PROCESSES}`,
    `--memory=${ask.memory}`,
    `--memory-swap=${ask.memory}`,
    `--cpus=${ask.cpu}`,
    `--env-file=${envFile}`,
    ...(ask.command === undefined ? [] : [`--entrypoint=${ask.command}`]),
    '--',
    ask.image,
    ...ask.args,
  ];
}

/** The name of the container of a task. */
export function containerName(taskId: string): string {
  return `penstock-${taskId.toLowerCase().replaceAll(/[^a-z0-9_.-]/g, '-')}`;
}
