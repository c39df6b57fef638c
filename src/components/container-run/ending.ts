import { Failure } from '../../errors.ts';
import type { ContainerAsk } from './command-line.ts';
import { ownLastWords } from './runtime.ts';

/** Exit codes of `docker run` and `podman run` for a container that they could not start; its program may use them as well. */
const NOT_STARTED = [125, 126, 127, 128];
const NO_SUCH_PROGRAM = 127;
/** Ended by SIGKILL, which is what the kernel sends when there is no memory left. */
const KILLED = 137;

/** The failure behind an exit code that is the runtime's or the kernel's; nothing for one of the program's own. */
export function explainEnd(
  { memory }: Pick<ContainerAsk, 'memory'>,
  code: number,
  output: string,
): Failure | undefined {
  if (code === KILLED) {
    return new Failure(
      'component_failed',
      `The container was killed, most likely because ${memory} of memory were too little.`,
      {
        advice: 'Raise memory, or let the program need less; its files in /work and /tmp count.',
      },
    );
  }
  const words = NOT_STARTED.includes(code) ? ownLastWords(output) : undefined;
  // What the program has written is only for those who may read its events.
  if (words === undefined) return undefined;
  const said = `The container ended with code ${code}: ${words}`;
  if (code === NO_SUCH_PROGRAM) {
    return new Failure('unprocessable', said, {
      advice: 'Give a command that the image has; with its path, if need be.',
    });
  }
  return new Failure('component_failed', said, {
    advice:
      'Ask for less if it names a limit; else let the administrator of this server look at its container runtime.',
  });
}
