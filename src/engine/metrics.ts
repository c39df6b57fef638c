/** What the engine counts and measures. All are optional: a process without metrics passes nothing. */
export interface EngineMetrics {
  /** Due tasks that wait for a worker, and how long the oldest has waited. Told by workers twice a minute. */
  queueMeasured?(depth: number, oldestMs: number): void;
  /** A task was claimed, this long after it could start. */
  taskClaimed?(waitedMs: number): void;
  /** An attempt ended: succeeded, warned, failed, timed_out, cancelled, waiting, worker_lost or handed_back. */
  attemptEnded?(outcome: string): void;
  taskRetried?(): void;
  /** This worker found that an attempt of its own had been taken over. */
  leaseLost?(): void;
  /** A late completion with an old fence was refused. */
  fenceRejected?(): void;
  runEnded?(kind: string, state: string): void;
  /** Undelivered outbox rows, and the age of the oldest that is due. */
  outboxMeasured?(depth: number, oldestMs: number): void;
  outboxDelivered?(topic: string, ok: boolean): void;
}

/** Structured log of the engine itself, not of runs. */
export type EngineLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
