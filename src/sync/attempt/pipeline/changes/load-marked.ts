import type { ChangeLog, LogMark, SourceSession } from '../../../../connectors/kit/index.ts';
import { Failure } from '../../../../errors.ts';
import type { LoadProgress, LogPlace } from '../checkpoint.ts';
import type { StreamWork } from '../context.ts';
import { chooseEffect, finishLoad } from '../incremental.ts';
import { beginLoad, continuable, isStillTrue, loadChunks, planLoad } from '../load.ts';
import { reconcile } from '../reconcile.ts';
import { countEarlier } from '../refresh.ts';

/**
 * Loads the stream as it was at one moment of the change log, and answers that moment: following the log from there on
 * makes the table equal to the source. `source` is a session for loads, which keeps its moment open until it is closed;
 * `named` was asked before that moment.
 */
export function loadMarked(
  work: StreamWork,
  { source, named }: { readonly source: SourceSession; readonly named: Pick<LogPlace, 'table'> },
): Promise<LogPlace> {
  const { changeLog } = source;
  if (!changeLog) throw new Failure('internal', 'a session of a source with a change log lacks it');
  return loadAt({ ...work, tools: { ...work.tools, source } }, changeLog, named);
}

async function loadAt(work: StreamWork, log: ChangeLog, named: Pick<LogPlace, 'table'>): Promise<LogPlace> {
  const { tools, stream, table, progress } = work;
  const { signal, source } = tools;
  // Of changes that came before: where the stream is loaded in the middle of its log, their rows are replaced.
  work.sampler.forget();
  const mark = await log.mark({ signal });
  const plan = await planLoad(work);
  progress.estimatedRows = plan.estimatedRows;
  const earlier = work.ledger.last?.mode === stream.mode ? continuable(work, work.ledger.last, plan) : undefined;
  const going = earlier && (await continueLoad(work, log, earlier));
  if (going && work.ledger.last?.run === tools.work.run) countEarlier(work, going);
  if (!going) await table.discardStaged();
  const start: LoadProgress = going ?? { ...beginLoad(work, plan, effectOf(work)), mark };
  const done = await loadChunks(work, { start, details: () => ({}) });
  tools.io.world.reach('sync.load-read');
  const place: LogPlace = { ...placeOf(done.mark ?? mark), ...named };
  const tableRows = await finishLoad(work, done, () => ({ log: place }));
  tools.io.log({ level: 'info', message: `${stream.id}: loaded ${done.rows} rows as of ${place.position}` });
  const sourceRows = await source.countRows(stream.selection, { signal });
  const exact = done.effect !== 'upsert' && !going;
  const totals = { sourceRows, tableRows, leftOut: done.quarantined, exact };
  tools.meter.reconciled(stream.id, await reconcile(work, totals));
  work.sampler.forget();
  return place;
}

/**
 * The unfinished load, if it can go on. Where upserts mend what changed since its mark it goes on from there; rows that
 * are only appended, or shown all at once, must still be those of the first chunks.
 */
async function continueLoad(work: StreamWork, log: ChangeLog, load: LoadProgress): Promise<LoadProgress | undefined> {
  const { signal } = work.tools;
  const { mark } = load;
  if (!mark || log.compare(mark.position, await log.start({ signal })) < 0) return undefined;
  if (work.stream.appendMode || load.effect === 'stage') return (await isStillTrue(work, load)) ? load : undefined;
  // A row may have moved from a chunk that was read into one that was not, and the later chunks see more than `seen`.
  return { ...load, effect: 'upsert', mark: { position: mark.position, seen: null } };
}

/** Appended rows cannot be mended after a crash: they are shown once the whole load is read. */
function effectOf(work: StreamWork): LoadProgress['effect'] {
  const effect = chooseEffect(work);
  return work.stream.appendMode && effect === 'append' ? 'stage' : effect;
}

const placeOf = ({ position, seen }: LogMark): LogPlace => ({ position, seen });
