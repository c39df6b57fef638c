import { Failure } from '../../errors.ts';
import type { Parameters } from './types.ts';

/** Schemas of what programs are given; `#name` in the environment is secret and reaches the program as `name`. */
export const args = {
  type: 'array',
  maxItems: 1000,
  items: { type: 'string', maxLength: 100_000 },
  title: 'Arguments',
  description: 'Given to the program as they are; no shell reads them.',
};

export const env = {
  type: 'object',
  maxProperties: 200,
  additionalProperties: { type: 'string', maxLength: 100_000 },
  title: 'Environment',
  description: 'All variables that the program sees. A value under "#NAME" is secret and becomes NAME.',
};

const LONGEST_SECONDS = 86_400;
const USUAL_SECONDS = 3600;

export const timeoutSeconds = {
  type: 'integer',
  minimum: 1,
  maximum: LONGEST_SECONDS,
  default: USUAL_SECONDS,
  title: 'Time limit in seconds',
  description: 'After it the program is ended.',
};

/** What every program is given. */
export interface ProgramAsk {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

/** Reads what the schemas above describe. */
export function readProgramAsk(parameters: Parameters): ProgramAsk {
  const given = parameters as Partial<ProgramAsk>;
  return { args: given.args ?? [], env: given.env ?? {}, timeoutSeconds: given.timeoutSeconds ?? USUAL_SECONDS };
}

/** The environment with the names that the program sees. */
export function readEnv(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.replace(/^#/, ''), value]));
}

/** Throws `bad_request` for what no program can be given. */
export function checkProgramInput(given: {
  readonly texts: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}): void {
  const wrong = Object.keys(given.env).find((name) => !/^#?[A-Za-z_]\w*$/.test(name));
  if (wrong !== undefined) {
    throw new Failure('bad_request', `Parameter 'env': "${wrong}" is no name of letters, digits and underscores`);
  }
  if ([...given.texts, ...Object.values(given.env)].some((text) => text.includes('\0'))) {
    throw new Failure('bad_request', 'Parameters must not contain a NUL character');
  }
}
