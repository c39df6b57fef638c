/** What a container is given. */
export interface ContainerAsk {
  readonly image: string;
  readonly command?: string;
  readonly args: readonly string[];
  /** Processors. */
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
    // It was brought before: a failure from here on is not one of the registry.
    '--pull=never',
    `--name=${name}`,
    '--network=none',
    '--cap-drop=ALL',
    '--security-opt=no-new-privileges',
    '--read-only',
    // Docker takes away `exec` unless it is asked for, podman does not.
    `--tmpfs=/work:rw,exec,nosuid,nodev,mode=1777,size=${WORK_BYTES}`,
    `--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=${WORK_BYTES}`,
    '--workdir=/work',
    // What it writes comes to us; the runtime would keep all of it on its disk as well.
    '--log-driver=none',
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
