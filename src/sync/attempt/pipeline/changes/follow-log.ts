import { Failure } from '../../../../errors.ts';
import type { ChangeLog, LogPosition, ReadChanges } from '../../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../../catalog/index.ts';
import type { LogPlace } from '../checkpoint.ts';
import type { RunTools } from '../context.ts';
import { allOrFirstCause } from '../limit.ts';
import { BATCH, refuse } from '../load.ts';
import { reconcile } from '../reconcile.ts';
import { beginStream } from './begin.ts';
import { earliest, nameTable } from './log-run.ts';
import type { LogRun, LogStream } from './log-run.ts';
import { mend } from './mend.ts';
import type { Pace } from './pace.ts';
import { createUnits } from './units.ts';
import type { Units } from './units.ts';

/**
 * Brings the tables of all streams that are read from the source's one change log up to where the log ends now, or keeps
 * them up to date until the pace says that it is enough. The source may forget changes once every table holds them.
 */
export async function followLog(tools: RunTools, streams: readonly ResolvedStream[], pace: Pace): Promise<void> {
  const log = tools.source.changeLog;
  if (!log) throw new Failure('configuration_invalid', 'the source is not set up to read its change log');
  const { signal } = tools;
  await log.check(
    streams.map((stream) => stream.selection),
    { signal },
  );
  const opened: LogStream[] = [];
  try {
    await beginAll(tools, { log, streams, pace }, opened);
    const end = await log.end({ signal });
    const run: LogRun = { tools, log, streams: opened, seenUntil: end };
    await settle(run, earliest(run));
    await readOn(run, pace, pace.continuous ? undefined : end);
    for (const stream of opened) await concludeStream(stream);
  } finally {
    for (const { work } of opened) await work.table.close();
  }
}

async function beginAll(
  tools: RunTools,
  { log, streams, pace }: { log: ChangeLog; streams: readonly ResolvedStream[]; pace: Pace },
  opened: LogStream[],
): Promise<void> {
  const named = new Map<string, Pick<LogPlace, 'table'>>();
  for (const { id, selection } of streams) named.set(id, await nameTable({ log, tools }, selection));
  const loading = await tools.openSource();
  const end = await log.end({ signal: tools.signal });
  const works = streams.map((stream) => async () => {
    await pace.beginning(async () => {
      tools.signal.throwIfAborted();
      opened.push(await beginStream(tools, { log, end, loading, named }, stream));
    });
  });
  await allOrFirstCause(works, tools.stop);
  await loading.close();
}

/** Reads until `upTo`, mending what the log says of its streams on the way. */
async function readOn(run: LogRun, pace: Pace, upTo: LogPosition | undefined): Promise<void> {
  const { log, tools } = run;
  for (;;) {
    const from = earliest(run);
    if (upTo !== undefined && log.compare(from, upTo) >= 0) return;
    const ended = new AbortController();
    const units = createUnits(run);
    try {
      const end = await log.read({
        ...BATCH,
        ...handlers(run, units, { pace, ended }),
        from,
        upTo,
        signal: AbortSignal.any([tools.signal, ended.signal]),
      });
      if (end.reason === 'reached') return;
      await mend(run, end);
    } catch (error) {
      if (tools.signal.aborted || !ended.signal.aborted) throw error;
      return;
    } finally {
      await units.abort();
    }
  }
}

type Handlers = Pick<ReadChanges, 'streams' | 'sink' | 'wantsBoundary' | 'boundary' | 'refuse'>;

function handlers(
  run: LogRun,
  units: Units,
  { pace, ended }: { readonly pace: Pace; readonly ended: AbortController },
): Handlers {
  const { streams, tools } = run;
  return {
    streams: streams.map(({ work, place }) => ({
      selection: work.stream.selection,
      after: place.position,
      seen: place.seen,
    })),
    sink: (changes) => units.write(streams[changes.stream]!, changes),
    wantsBoundary: () => pace.wantsBoundary(units.bytes),
    async boundary(position) {
      tools.io.world.reach('sync.log-read');
      const rows = await units.commit(position);
      tools.meter.alive();
      if (pace.committed(rows)) await settle(run, position);
      // Nothing is held between two boundaries: here the read can end without losing anything.
      if (pace.isOver()) ended.abort();
    },
    refuse: (stream, row) => refuse(streams[stream]!.work, row),
  };
}

/** Tells the state row how far all tables have come, then the source. Never the other way round. */
async function settle({ tools, log, streams }: LogRun, position: LogPosition): Promise<void> {
  const ids = streams.map(({ work }) => work.stream.id);
  const entries = streams.flatMap(({ work }) => work.ledger.repaired ?? []);
  const global = { state: log.toState(position), streams: ids };
  const change = JSON.stringify({ global, ...(entries.length > 0 && { streams: entries }) });
  await tools.io.ask({ ask: 'saveState', change });
  tools.io.world.reach('sync.log-state-saved');
  await log.acknowledge(position, { signal: tools.signal });
  tools.io.world.reach('sync.log-acknowledged');
}

/** What was written is read back; totals of a table that keeps changing cannot be compared. */
async function concludeStream({ work }: LogStream): Promise<void> {
  const { progress, tools, stream, table } = work;
  const changes = progress.updated + progress.deleted;
  if (work.sampler.samples.length === 0) return;
  const note = 'changes were read from the log; sampled rows are compared as written';
  const totals = { sourceRows: null, tableRows: table.rows, leftOut: 0, exact: false, moving: true, note };
  tools.meter.reconciled(stream.id, await reconcile(work, totals));
  tools.io.log({
    level: 'info',
    message: `${stream.id}: ${progress.inserted} inserted, ${changes} updated or deleted`,
  });
}
