import type { Attempt, TaskView } from '../../engine/index.ts';
import type { ComponentCall, ComponentSpec, Parameters } from './types.ts';

/** A call as a test makes it, without an engine behind it. */
export interface TestCall {
  readonly call: ComponentCall;
  readonly lines: string[];
  readonly controller: AbortController;
  /** What was remembered last. */
  memo(): unknown;
}

export interface TestCallOptions {
  readonly task?: string;
  readonly number?: number;
  readonly memo?: unknown;
}

let tasks = 0;

/** What components need of an attempt; a child that it starts goes on until the call is cancelled. */
export function createTestCall(parameters: Parameters, options: TestCallOptions = {}): TestCall {
  const lines: string[] = [];
  const controller = new AbortController();
  let memo: unknown = options.memo ?? null;
  const id = options.task ?? `t_${++tasks}`;
  const attempt = {
    number: options.number ?? 1,
    task: { id, memo } as TaskView,
    run: { id: `r_${id}`, number: tasks, path: String(tasks), project: '1' },
    signal: controller.signal,
    log: (_level: string, message: string) => void lines.push(message),
    progress() {},
    // A child that goes on until the run is to end, and ends then.
    childEnded: async (_runId: string, until?: AbortSignal) => {
      until?.throwIfAborted();
      if (controller.signal.aborted) return undefined;
      return new Promise((_resolve, reject) => {
        until?.addEventListener('abort', () => reject(until.reason as Error));
      });
    },
    reading: <T>(work: () => Promise<T>) => work(),
    remember: async (value: unknown) => void (memo = value),
  } as unknown as Attempt;
  return {
    call: { parameters, attempt, project: '1', path: String(tasks), tokenId: 1 },
    lines,
    controller,
    memo: () => memo,
  };
}

/** Executes a component with these parameters. */
export async function execute(
  spec: ComponentSpec,
  parameters: Parameters,
  options?: TestCallOptions,
): Promise<unknown> {
  return spec.execute(createTestCall(parameters, options).call);
}
