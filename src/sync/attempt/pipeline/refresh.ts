import type { Durable, LoadPlan } from '../../../connectors/kit/index.ts';
import { beginLoad, continuable, isStillTrue, loadChunks, planLoad } from './load.ts';
import type { LoadProgress } from './checkpoint.ts';
import type { StreamWork } from './context.ts';
import type { TableTotals } from './reconcile.ts';

/**
 * Reads everything and replaces the table in one commit. What an earlier attempt staged is used when it still fits;
 * a continued load that does not add up is done again, because its parts saw the source at different times.
 */
export async function refreshStream(work: StreamWork): Promise<TableTotals> {
  const { tools, stream, table, progress } = work;
  const { source } = tools;
  const plan = await planLoad(work);
  progress.estimatedRows = plan.estimatedRows;
  const earlier = continuable(work, work.ledger.last, plan);
  const start = earlier && (await isStillTrue(work, earlier)) ? earlier : undefined;
  if (start) {
    if (work.ledger.last?.run === tools.work.run) countEarlier(work, start);
    tools.io.log({
      level: 'info',
      message: `${stream.id}: continues a load, ${start.todo.length} of ${start.total} chunks to do`,
    });
  } else await startAnew(work, earlier);
  // The parts of a continued load were sent at different times: only a count of its own says what there is now.
  const isCounted = start === undefined && plan.isCountedByChunks === true;
  const counting = !isCounted && source.countsBesideReaders === true ? countRows(work) : undefined;
  let load = await loadChunks(work, { start: start ?? beginLoad(work, plan, 'stage'), details: () => ({}) });
  const sourceRows = (isCounted ? load.counted : undefined) ?? (await (counting ?? countRows(work)));
  if (start && load.rows + load.quarantined !== sourceRows) {
    await startAnew(work, start);
    load = await reload(work, plan);
  }
  tools.io.world.reach('sync.load-read');
  const durable = await work.ledger.commit(
    () => ({}),
    (checkpoint) => table.publishStaged(checkpoint),
  );
  tools.io.world.reach('sync.published');
  tools.io.log({
    level: 'info',
    message: `${stream.id}: published ${durable.tableRows} rows as version ${durable.version}`,
  });
  return totals(durable, load, sourceRows);
}

/** Rows in the source. Nobody has to wait for the answer: closing the session ends the counting. */
function countRows({ tools, stream }: StreamWork): Promise<number> {
  const counting = tools.source.countRows(stream.selection, { signal: tools.signal });
  counting.catch(() => undefined);
  return counting;
}

/** Forgets what was staged; says so when it was worth something. */
async function startAnew(work: StreamWork, earlier: LoadProgress | undefined): Promise<void> {
  await work.table.discardStaged();
  if (!earlier) return;
  const message = `${work.stream.id}: the source changed since the load began; it is loaded again`;
  work.tools.io.log({ level: 'info', message });
}

async function reload(work: StreamWork, plan: LoadPlan): Promise<LoadProgress> {
  work.sampler.forget();
  work.progress.rows = 0;
  work.progress.inserted = 0;
  return loadChunks(work, { start: beginLoad(work, plan, 'stage'), details: () => ({}) });
}

/** Rows that an earlier attempt of this same run brought count for the run. */
export function countEarlier(work: StreamWork, load: LoadProgress): void {
  work.progress.rows += load.rows;
  work.progress.inserted += load.rows;
  work.progress.quarantined += load.quarantined;
  work.tools.meter.committed(load.rows);
}

function totals(durable: Durable, load: LoadProgress, sourceRows: number): TableTotals {
  return { sourceRows, tableRows: durable.tableRows, leftOut: load.quarantined, exact: true };
}
