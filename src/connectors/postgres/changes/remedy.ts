import { Failure, type FailureKind } from '../../../errors.ts';

/** A failure whose sentence ends with what to do about it: the statement to run, or the setting to change. */
export function remedied(kind: FailureKind, problem: string, remedy: string): Failure {
  return new Failure(kind, `${problem}. ${remedy}`, { advice: remedy });
}
