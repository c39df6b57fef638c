import { createHash } from 'node:crypto';
import type { ComponentSpec, Parameters } from '../../components/kit/index.ts';
import type { Attempt, AttemptResult, Component } from '../../engine/index.ts';
import { Failure, toFailure } from '../../errors.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { engineNameOf } from './plan.ts';
import { createMasker, secretTextsOf } from './secrets.ts';
import type { ComponentInput } from './types.ts';

const USUAL_GRACE_MS = 8000;
/** A kill ends within 40 s whatever a component does. */
const LONGEST_GRACE_MS = 30_000;
const LARGEST_RESULT_BYTES = 1024 * 1024;

/** Lets the engine execute a built-in component. Its secrets appear in no event, no result and no message. */
export function createComponentAdapter(
  rooms: Pick<OrchestrateRooms, 'secrets' | 'engine' | 'log'>,
  spec: ComponentSpec,
): Component {
  return {
    name: engineNameOf(spec.id),
    ...(spec.waits && { waits: true }),
    graceMs: Math.min(spec.graceMs ?? USUAL_GRACE_MS, LONGEST_GRACE_MS),
    async execute(attempt) {
      const input = attempt.task.input as ComponentInput;
      const parameters = openParameters(rooms, spec, input);
      const mask = createMasker(secretTextsOf(parameters, spec.schema));
      try {
        const { project, path } = attempt.run;
        const own: Attempt = {
          ...attempt,
          log: (level, message) => attempt.log(level, mask.text(message)),
        };
        const result = await spec.execute({ parameters, attempt: own, project, path, tokenId: input.tokenId });
        return succeeded(mask.value(result));
      } catch (thrown) {
        if (attempt.signal.aborted) throw attempt.signal.reason;
        const failure = maskFailure(toFailure(thrown), mask.text);
        // Somebody ended the work behind it: the run that stands for it is ended as well, and has not failed.
        if (failure.kind === 'cancelled') {
          await attempt.reading(() => rooms.engine.cancel(attempt.run.id, `component ${spec.id}`));
        }
        throw reportDefect(rooms, attempt, failure);
      }
    },
  };
}

function openParameters(
  rooms: Pick<OrchestrateRooms, 'secrets'>,
  spec: ComponentSpec,
  input: ComponentInput,
): Parameters {
  if (input.sealed === null) return input.parameters;
  return JSON.parse(rooms.secrets.open(input.sealed, engineNameOf(spec.id))) as Parameters;
}

function succeeded(result: unknown): AttemptResult {
  const output = result ?? {};
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes <= LARGEST_RESULT_BYTES) return { outcome: 'succeeded', output };
  return { outcome: 'succeeded', output: { message: `The result has ${bytes} bytes; it is too large to be kept.` } };
}

function maskFailure(failure: Failure, mask: (text: string) => string): Failure {
  const options = { advice: failure.advice, details: failure.details, cause: failure.cause };
  return new Failure(failure.kind, mask(failure.message), options);
}

/**
 * People learn of a defect that it happened and under which number the server's log tells more; of a program that ended
 * unexpectedly, how. From here on both are `component_failed`: the engine would log an `internal` one again.
 */
function reportDefect(rooms: Pick<OrchestrateRooms, 'log'>, attempt: Attempt, failure: Failure): Failure {
  if (failure.kind !== 'internal' && failure.kind !== 'component_failed') return failure;
  const exceptionId = exceptionIdOf(attempt.run.id);
  rooms.log?.error({ exceptionId, run: attempt.run.id, error: failure.message }, 'a component failed unexpectedly');
  if (failure.kind === 'component_failed') return failure;
  return new Failure('component_failed', `Application error. Look for ${exceptionId} in the server's log.`, {
    advice: failure.advice,
    cause: failure,
  });
}

/** The number under which the failure of a run is found in the log. */
export function exceptionIdOf(runId: string): string {
  return `penstock-${createHash('sha256').update(`exception of run ${runId}`).digest('hex').slice(0, 32)}`;
}
