import type { JobGauge, Sync } from '../../sync/index.ts';
import { statusWord } from './translate.ts';

const STATUS_NUMBERS: Readonly<Record<string, number>> = { Running: 0, Completed: 1, Failed: 2, Canceled: 2 };

interface Gauge {
  readonly name: string;
  readonly about: string;
  readonly read: (gauge: JobGauge, now: Date) => number;
}

const GAUGES: readonly Gauge[] = [
  {
    name: 'olake_sync_status',
    about: 'Newest run of the job: 0 running, 1 ok, 2 failed or cancelled.',
    read: ({ run }) => STATUS_NUMBERS[statusWord(run.state)] ?? 2,
  },
  {
    name: 'olake_sync_start_time_seconds',
    about: 'Start of the newest run, seconds since 1970.',
    read: ({ run }) => (run.startedAt ?? run.queuedAt).getTime() / 1000,
  },
  {
    name: 'olake_sync_duration_seconds',
    about: 'Runtime of the newest run.',
    read: ({ run }, now) =>
      Math.max(0, (run.endedAt ?? now).getTime() - (run.startedAt ?? run.queuedAt).getTime()) / 1000,
  },
  {
    name: 'olake_sync_records',
    about: 'Rows that the newest run committed.',
    read: ({ progress }) => progress?.records ?? 0,
  },
  {
    name: 'olake_sync_bytes',
    about: 'Bytes that the newest run read.',
    read: ({ progress }) => progress?.bytesRead ?? 0,
  },
  {
    name: 'olake_sync_cpu_percent',
    about: 'CPU of the newest run, as last told.',
    read: ({ progress }) => progress?.cpuPercent ?? 0,
  },
  {
    name: 'olake_sync_memory_bytes',
    about: 'Memory of the newest run, as last told.',
    read: ({ progress }) => progress?.memoryBytes ?? 0,
  },
];

/** The newest run of every job as Prometheus text. */
export async function olakeMetrics(sync: Pick<Sync, 'gauges'>, now: Date): Promise<string> {
  const jobs = await sync.gauges();
  const lines = GAUGES.flatMap(({ name, about, read }) => [
    `# HELP ${name} ${about}`,
    `# TYPE ${name} gauge`,
    ...jobs.map((job) => `${name}{${labelsOf(job)}} ${read(job, now)}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function labelsOf(job: JobGauge): string {
  const labels = {
    job_id: String(job.jobId),
    job_name: job.jobName,
    source_name: job.sourceName,
    destination_name: job.destinationName,
  };
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}
