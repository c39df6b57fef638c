import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { runtimeEnvironment, type Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { runProcess } from '../kit/index.ts';
import type { ComponentCall } from '../kit/index.ts';

/** The longest that a runtime may take to remove a container. */
export const REMOVAL_MS = 10_000;
/** So long an ended container may take to vanish by itself. */
const OWN_REMOVAL_MS = 5000;
const AGAIN_MS = 100;
const ANSWER_MS = 30_000;
const PULL_MS = 30 * 60_000;
/** Where the program that runs containers looks for others. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Settings = Pick<Config, 'containerProgram'>;

/**
 * Brings the image to this machine when it is not there yet. Before it answers nothing of the container has begun. Throws
 * `unreachable` with what the runtime says: it is not installed, its daemon does not run, the image cannot be pulled.
 */
export async function bringImage(
  { containerProgram }: Settings,
  call: ComponentCall,
  place: ImagePlace,
): Promise<void> {
  const { signal, log } = call.attempt;
  const { image, cwd } = place;
  const ask = (...args: string[]): Promise<Answer> => askRuntime(containerProgram, { args, signal });
  if ((await ask('image', 'inspect', '--', image)).isWell) return;
  const { isWell, said } = await ask('ps', '--quiet');
  if (!isWell) {
    throw new Failure(
      'unreachable',
      `The container runtime of this server (${containerProgram}) does not work: ${said}`,
      {
        advice:
          'Let the administrator of this server install and start it, or set PENSTOCK_CONTAINER_PROGRAM to another one.',
      },
    );
  }
  log('info', `Image ${image} is not on this server yet: it is pulled.`);
  await runProcess(call, {
    program: containerProgram,
    args: ['pull', '--quiet', '--', image],
    env: environmentOf('pull'),
    cwd,
    timeoutMs: PULL_MS,
    explain: (_code, output) => cannotPull(image, output),
  });
}

export interface ImagePlace {
  readonly image: string;
  readonly cwd: string;
}

function cannotPull(image: string, output: string): Failure {
  return new Failure('unreachable', `Image ${image} is not on this server and cannot be pulled: ${lastWords(output)}`, {
    advice:
      'Let the administrator of this server pull it there, give the server the registry and its login, or correct its name in PENSTOCK_CONTAINER_IMAGES (with podman a full one, e.g. docker.io/library/alpine:3).',
  });
}

/**
 * Ends the container if it is there, and sees it removed; never fails. Takes `REMOVAL_MS` at the most. The runtime removes
 * it by itself once it has ended; whoever does it at the same moment leaves an entry in Docker's list that nobody can remove.
 */
export async function removeContainer({ containerProgram }: Settings, name: string): Promise<void> {
  const started = performance.now();
  const left = (): number => Math.round(started + REMOVAL_MS - performance.now());
  const ask = (...args: string[]): Promise<Answer> =>
    askRuntime(containerProgram, { args: [...args, '--', name], timeoutMs: Math.max(1, left()) });
  while (left() > 0) {
    const { isWell, said } = await ask('container', 'inspect', '--format={{.State.Running}}');
    if (!isWell) return;
    if (said.trim() === 'true') await ask('kill');
    else if (left() < REMOVAL_MS - OWN_REMOVAL_MS) await ask('rm', '--force');
    await delay(AGAIN_MS);
  }
}

/**
 * What the runtime sees of the environment. It hands the proxies that it finds to containers, which have no network, so
 * it finds them only when it pulls.
 */
export function environmentOf(order: 'pull' | 'other'): Readonly<Record<string, string>> {
  const given = Object.entries(runtimeEnvironment());
  const wanted = order === 'pull' ? given : given.filter(([name]) => !/_proxy$/i.test(name));
  return { HOME: homedir(), ...Object.fromEntries(wanted), PATH: SEARCH_PATH };
}

/** The last line that tells something, if it is the runtime's and not the container's; without what all such lines begin with. */
export function ownLastWords(output: string): string | undefined {
  const line = lastLine(output);
  return OWN_WORDS.test(line) ? line.replace(OWN_WORDS, '') : undefined;
}

const OWN_WORDS = /^(docker: |Error: |Error response from daemon: )+/;

/**
 * What the runtime has to say may be followed by the advice to read its help, and by a line of its log: Docker writes one when
 * the container is gone before it begins to wait for its end.
 */
function lastLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !BESIDE_THE_POINT.test(line));
  return (lines.at(-1) ?? 'it says nothing').slice(0, 1000);
}

const BESIDE_THE_POINT = /^((Run|See) '.* --help'|time="[^"]*" level=)/;

const lastWords = (output: string): string => lastLine(output).replace(OWN_WORDS, '');

interface Answer {
  readonly isWell: boolean;
  readonly said: string;
}

interface Question {
  readonly args: readonly string[];
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Rejects only when the signal aborts, with its reason. */
function askRuntime(program: string, { args, signal, timeoutMs = ANSWER_MS }: Question): Promise<Answer> {
  const options = {
    env: environmentOf('other'),
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (error === null) return resolve({ isWell: true, said: stdout });
      const { code, killed } = error as { code?: unknown; killed?: boolean };
      if (typeof code === 'string') return resolve({ isWell: false, said: `it cannot be started (${code})` });
      return resolve({ isWell: false, said: killed ? 'it does not answer' : lastWords(stderr) });
    });
  });
}
