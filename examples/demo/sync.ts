import type { Client } from './client.ts';
import { count, progressLine } from './terminal.ts';

export interface Task {
  readonly id: string;
  readonly status: string;
  readonly records: number;
  readonly error?: string;
  readonly stats: {
    readonly 'Seconds Elapsed'?: number | string;
    readonly Speed?: string;
    readonly Reconciliation?: Record<
      string,
      { verdict: string; sourceRows: number | null; tableRows: number; sampledRows: number }
    >;
  };
  readonly runtime: number;
}

/** Starts a sync, shows its progress until it ends, and answers its task; throws unless it completed. */
export async function syncAndWatch(client: Client, jobId: number): Promise<{ task: Task; seconds: number }> {
  const before = (await client.get<Task[]>(`/jobs/${jobId}/tasks`)).length;
  const started = performance.now();
  await client.post(`/jobs/${jobId}/sync`);
  const line = progressLine();
  for (;;) {
    const tasks = await client.get<Task[]>(`/jobs/${jobId}/tasks`);
    const task = tasks.length > before ? tasks[0] : undefined;
    const seconds = (performance.now() - started) / 1000;
    if (task && task.status !== 'Running') {
      line.end();
      if (task.status !== 'Completed') throw new Error(`the sync ended ${task.status}: ${task.error ?? 'see its log'}`);
      return { task, seconds };
    }
    line.show(`${count(task?.records ?? 0)} rows committed, ${task?.stats.Speed ?? '…'}, ${seconds.toFixed(1)} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
