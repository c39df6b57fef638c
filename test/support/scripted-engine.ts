import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngine, installQueue } from '../../src/engine/index.ts';
import type {
  Attempt,
  AttemptResult,
  EngineOptions,
  OpenEngine,
  RunPlan,
  RunView,
  TaskPlan,
} from '../../src/engine/index.ts';
import { createWorld } from '../../src/world.ts';
import { createTestStore } from './database.ts';
import type { TestStore } from './database.ts';

const PATIENCE_MS = 60_000;

export const done: AttemptResult = { outcome: 'succeeded' };

/** What a task of a test does. */
export type Script = (attempt: Attempt) => Promise<AttemptResult>;

/** An engine on a database of its own, whose tasks are functions of the test. */
export interface ScriptedEngine {
  readonly test: TestStore;
  readonly engine: OpenEngine;
  /** A task that does what `script` says; one that `waits` takes no slot. */
  task(key: string, script?: Script, more?: Partial<TaskPlan>): TaskPlan;
  /** A run of one phase. */
  plan(tasks: readonly TaskPlan[], more?: Partial<RunPlan>): RunPlan;
  /** The run when it has ended. */
  ended(runId: string): Promise<RunView>;
  stateOf(runId: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Opens it, without a worker. Components: `scripted`, and `patient` for tasks that wait (grace 300 ms). */
export async function openScriptedEngine(options: Partial<EngineOptions> = {}): Promise<ScriptedEngine> {
  const test = await createTestStore({ prepare: installQueue });
  const scripts = new Map<string, Script>();
  const execute: Script = (attempt) => scripts.get(attempt.task.input as string)!(attempt);
  const engine = await createEngine({
    store: test.store,
    world: createWorld(),
    components: [
      { name: 'scripted', execute },
      { name: 'patient', waits: true, graceMs: 300, execute },
    ],
    observers: [],
    deliverers: {},
    settings: { slots: 8, leaseSeconds: 10 },
    ...options,
  });
  return {
    test,
    engine,
    task(key, script = async () => done, more = {}) {
      const input = `script ${scripts.size}`;
      scripts.set(input, script);
      return { key, component: more.waits ? 'patient' : 'scripted', input, ...more };
    },
    plan: (tasks, more = {}) => ({ kind: 'test', project: 'p', trigger: 'api', phases: [tasks], ...more }),
    async ended(runId) {
      const run = await engine.settled(runId, PATIENCE_MS);
      assert.ok(run?.endedAt, `run ${runId} did not end`);
      return run;
    },
    stateOf: async (runId) => (await engine.get(runId))?.state,
    async close() {
      await engine.close();
      await test.close();
    },
  };
}

export interface Gate {
  /** Waits until the gate is opened. */
  readonly script: Script;
  /** A task came to the gate. */
  readonly entered: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open!: () => void;
  let enter!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  return { open, entered, script: async () => (enter(), await opened, done) };
}

/** Rejects with the reason when the attempt is aborted. */
export function untilAborted(attempt: Attempt): Promise<never> {
  return new Promise((_, reject) => {
    attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error));
  });
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'the condition was not met in time');
    await delay(10);
  }
}
