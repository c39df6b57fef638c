import { setTimeout as delay } from 'node:timers/promises';
import type { ComponentCall, ComponentSpec } from '../components/kit/index.ts';
import { Failure, type FailureKind } from '../errors.ts';

export interface Holds {
  /** Waits until a call of this name has begun. */
  begun(name: string): Promise<void>;
  /** Lets it end: with this result, or failing with this. */
  release(name: string, result?: unknown): void;
  isRunning(name: string): boolean;
}

const PATIENCE_MS = 60_000;

const anything = { type: 'object', additionalProperties: true };

/** Answers its parameters. */
export const echo: ComponentSpec = {
  id: 'lab.echo',
  name: 'Echo',
  description: 'Answers its parameters.',
  schema: anything,
  isOffBecause: null,
  execute: async ({ parameters, attempt }) => {
    attempt.log('info', `echoes ${JSON.stringify(parameters)}`);
    return { echoed: parameters };
  },
};

/** Fails: with the parameter `message` as a mistake of the user, without it as a defect. */
export const fail: ComponentSpec = {
  id: 'lab.fail',
  name: 'Fail',
  description: 'Fails.',
  schema: {
    type: 'object',
    additionalProperties: false,
    properties: { message: { type: 'string' }, kind: { type: 'string' } },
  },
  isOffBecause: null,
  async execute({ parameters }) {
    const { message, kind = 'bad_request' } = parameters as { message?: string; kind?: FailureKind };
    if (message !== undefined) throw new Failure(kind, message);
    throw new TypeError('a defect with details');
  },
};

interface Waiting {
  readonly begun: PromiseWithResolvers<void>;
  readonly end: PromiseWithResolvers<unknown>;
  isRunning: boolean;
}

/** `lab.hold` waits until the test lets it go; with `isDeaf` it does not listen to its signal. */
export function createHolds(): { holds: Holds; spec: ComponentSpec } {
  const all = new Map<string, Waiting>();
  const of = (name: string): Waiting => {
    const known = all.get(name);
    if (known !== undefined) return known;
    const made = {
      begun: Promise.withResolvers<void>(),
      end: Promise.withResolvers<unknown>(),
      isRunning: false,
    };
    all.set(name, made);
    return made;
  };
  const execute = async ({ parameters, attempt }: ComponentCall): Promise<unknown> => {
    const hold = of(String(parameters['name']));
    hold.isRunning = true;
    hold.begun.resolve();
    const aborted = new Promise<never>((_, reject) => {
      if (parameters['isDeaf'] === true) return;
      attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error));
    });
    return Promise.race([hold.end.promise, aborted]).finally(() => (hold.isRunning = false));
  };
  const spec: ComponentSpec = {
    id: 'lab.hold',
    name: 'Hold',
    description: 'Waits.',
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      properties: { name: { type: 'string' }, lock: { type: 'string' }, isDeaf: { type: 'boolean' } },
    },
    configParameter: 'name',
    isOffBecause: null,
    graceMs: 300,
    lockKey: (parameters) => parameters['lock'] as string | undefined,
    execute,
  };
  const holds: Holds = {
    async begun(name) {
      const late = delay(PATIENCE_MS, undefined, { ref: false }).then(() => {
        throw new Error(`the call ${name} did not begin in time`);
      });
      await Promise.race([of(name).begun.promise, late]);
    },
    release: (name, result = {}) => of(name).end.resolve(result),
    isRunning: (name) => of(name).isRunning,
  };
  return { holds, spec };
}
