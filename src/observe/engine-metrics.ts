import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the engine tells of itself. It takes this by shape: rooms below it import nothing from it. */
interface EngineFigures {
  queueMeasured(depth: number, oldestMs: number): void;
  taskClaimed(waitedMs: number): void;
  attemptEnded(outcome: string): void;
  taskRetried(): void;
  leaseLost(): void;
  fenceRejected(): void;
  runEnded(kind: string, state: string): void;
  outboxMeasured(depth: number, oldestMs: number): void;
  outboxDelivered(topic: string, ok: boolean): void;
}

/** The engine's figures in a registry. Times are in seconds, as is the custom there. */
export function createEngineMetrics(registry: Registry): EngineFigures {
  const on = { registers: [registry] };
  const gauge = (name: string, help: string): Gauge => new Gauge({ ...on, name: `penstock_${name}`, help });
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ ...on, name: `penstock_${name}`, help, labelNames });
  const queueDepth = gauge('queue_depth', 'Due tasks that wait for a worker.');
  const queueAge = gauge('queue_oldest_seconds', 'How long the oldest due task has waited.');
  const outboxDepth = gauge('outbox_depth', 'Messages not delivered yet.');
  const outboxAge = gauge('outbox_oldest_seconds', 'Age of the oldest message that is due.');
  const waited = new Histogram({
    ...on,
    name: 'penstock_task_start_seconds',
    help: 'From when a task could start to its claim.',
    buckets: [0.005, 0.01, 0.05, 0.25, 1, 5, 30, 120],
  });
  const attempts = counter('attempts_total', 'Ended attempts.', ['outcome']);
  const retries = counter('task_retries_total', 'Tasks tried again.', []);
  const leases = counter('leases_lost_total', 'Attempts of this worker that another took over.', []);
  const fences = counter('fences_rejected_total', 'Late completions that were refused.', []);
  const runs = counter('runs_ended_total', 'Ended runs.', ['kind', 'state']);
  const deliveries = counter('outbox_deliveries_total', 'Attempts to deliver a message.', ['topic', 'result']);
  return {
    queueMeasured(depth, oldestMs) {
      queueDepth.set(depth);
      queueAge.set(oldestMs / 1000);
    },
    taskClaimed: (waitedMs) => waited.observe(waitedMs / 1000),
    attemptEnded: (outcome) => attempts.inc({ outcome }),
    taskRetried: () => retries.inc(),
    leaseLost: () => leases.inc(),
    fenceRejected: () => fences.inc(),
    runEnded: (kind, state) => runs.inc({ kind, state }),
    outboxMeasured(depth, oldestMs) {
      outboxDepth.set(depth);
      outboxAge.set(oldestMs / 1000);
    },
    outboxDelivered: (topic, ok) => deliveries.inc({ topic, result: ok ? 'delivered' : 'failed' }),
  };
}
