import { say, table } from './terminal.ts';

interface Job {
  readonly id: number;
  readonly status: string;
  readonly isFinished: boolean;
  readonly results: { readonly tasks: readonly TaskResult[] } | null;
}

interface TaskResult {
  readonly component?: string;
  readonly componentUrl?: string;
  readonly status?: string;
  readonly duration?: number | null;
  readonly response?: { readonly message?: string; readonly result?: Record<string, unknown> };
}

/** The tables of the night, and the service that is told in the end. */
export interface Night {
  readonly jobId: number;
  /** Of the tables in the lake. */
  readonly database: string;
  readonly componentUrl: string;
}

/** A client of the Keboola face: the same server, other words. */
export async function runNight(server: { url: string; token: string }, night: Night): Promise<void> {
  const made = await ask<{ id: number; nextScheduledTime: string }>(server, '/orchestrations', {
    name: 'Night',
    crontabRecord: '15 2 * * *',
    zone: 'Europe/Prague',
    tasks: tasksOf(night),
  });
  say(`orchestration ${made.id} "Night": by itself at ${made.nextScheduledTime}, once now by hand`);
  const { id } = await ask<Job>(server, '/run', { config: made.id });
  let told = 0;
  for (;;) {
    const job = await ask<Job>(server, `/jobs/${id}`);
    const ended = job.results?.tasks.filter((task) => typeof task.duration === 'number') ?? [];
    for (const task of ended.slice(told)) tell(task);
    told = ended.length;
    if (job.isFinished) {
      say(`job ${id}: ${job.status}`);
      if (job.status !== 'success') throw new Error(`the night ended ${job.status}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function tasksOf({ jobId, database, componentUrl }: Night): readonly object[] {
  const lake = `lake."${database}"`;
  const statements = [
    `create or replace table delays as select origin, count(*) as flights, round(avg(delay_minutes), 1) as mean_delay
     from ${lake}.flights group by origin having count(*) > 10000`,
    `select airports.name as airport, airports.city, delays.flights, delays.mean_delay
     from delays join ${lake}.airports on airports.iata = delays.origin order by mean_delay desc limit 5`,
  ];
  return [
    { component: 'penstock.sync', actionParameters: { jobId } },
    { component: 'sql.transformation', actionParameters: { statements } },
    { componentUrl, actionParameters: { text: 'table delays is ready' } },
  ];
}

function tell({ component, componentUrl, status, duration, response }: TaskResult): void {
  say(`${component ?? componentUrl}: ${status} in ${duration} s ${response?.message ?? ''}`);
  const { rows, recordsWritten, delivered } = response?.result ?? {};
  if (Array.isArray(rows)) table(rows, ['airport', 'city', 'flights', 'mean_delay']);
  if (recordsWritten !== undefined) say(`  rows moved: ${String(recordsWritten)}`);
  if (delivered !== undefined) say(`  it says: delivered "${String(delivered)}"`);
}

async function ask<T>({ url, token }: { url: string; token: string }, path: string, body?: object): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T & { readonly message?: string };
  if (!response.ok) throw new Error(`${path}: ${response.status} ${answer.message}`);
  return answer;
}
