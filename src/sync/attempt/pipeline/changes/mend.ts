import type { ReadEnd } from '../../../../connectors/kit/index.ts';
import { Failure } from '../../../../errors.ts';
import { isIdentityChanged } from '../checkpoint.ts';
import { resolveAll } from '../resolve.ts';
import { namingStream, openStream } from '../stream.ts';
import { REPLACED } from './begin.ts';
import { loadMarked } from './load-marked.ts';
import { createLogStream, nameTable } from './log-run.ts';
import type { LogRun } from './log-run.ts';

/** Makes the named streams ready for the transaction that ended the read. */
export async function mend(run: LogRun, end: ReadEnd): Promise<void> {
  if (end.reason !== 'truncated') await openAnew(run, end.streams);
  for (const index of end.streams) await MENDING[end.reason](run, index);
}

const MENDING: { readonly [Reason in ReadEnd['reason']]: (run: LogRun, index: number) => Promise<void> } = {
  reached: async () => undefined,
  'columns changed': adoptColumns,
  truncated: replaceEmptied,
  replaced: replaceTable,
};

/** Discovers the source anew, and opens the tables of these streams with the columns that it has now. */
async function openAnew(run: LogRun, indexes: readonly number[]): Promise<void> {
  const { tools, log, streams } = run;
  const { signal, work } = tools;
  const fresh = await tools.openSource();
  const discovered = await fresh.discover({ signal, threads: work.advanced.max_discover_threads ?? 4 });
  await fresh.close();
  const only = new Set(indexes.map((index) => streams[index]!.work.stream.id));
  const resolved = resolveAll({ catalog: work.catalog, discovered, log: log.columns, only, warn: tools.warn });
  for (const index of indexes) {
    const { work: old, place } = streams[index]!;
    const stream = resolved.find(({ id }) => id === old.stream.id);
    if (!stream) throw new Failure('object_missing', `stream ${old.stream.id} is not in the source any more`);
    await old.table.close();
    streams[index] = createLogStream(await namingStream(stream.id, () => openStream(tools, stream)), place);
  }
}

/** The table has its new columns. Rows that would not be found any more are loaded anew under their new identities. */
async function adoptColumns(run: LogRun, index: number): Promise<void> {
  const { stream, ledger } = run.streams[index]!.work;
  run.tools.io.log({ level: 'info', message: `${stream.id}: its columns changed at the source; the table follows` });
  if (!ledger.last || !isIdentityChanged(stream, ledger.last)) return;
  if (stream.mode === 'cdc') {
    run.tools.warn(`${stream.id}: what identifies its rows has changed at the source; it is loaded again`);
    return loadAnew(run, index);
  }
  run.tools.warn(`${stream.id}: what identifies its rows has changed; earlier versions of rows stay in the table`);
}

/** A truncated table is loaded anew, which is quick, unless its history is what the table keeps. */
async function replaceEmptied(run: LogRun, index: number): Promise<void> {
  const { tools, streams } = run;
  const { stream } = streams[index]!.work;
  if (stream.appendMode || stream.mode === 'strict_cdc') {
    tools.warn(`${stream.id}: was truncated at the source; its rows stay in the table, which only grows`);
    return;
  }
  tools.io.log({ level: 'info', message: `${stream.id}: was truncated at the source; it is loaded anew` });
  await loadAnew(run, index);
}

/** Nothing in the log says which rows of the earlier table the present one lacks. */
async function replaceTable(run: LogRun, index: number): Promise<void> {
  const { stream } = run.streams[index]!.work;
  const what = stream.mode === 'cdc' ? 'it is loaded again' : 'its changes are added to those of the earlier one';
  run.tools.warn(`${stream.id}: ${REPLACED}; ${what}`);
  if (stream.mode === 'cdc') await loadAnew(run, index);
}

async function loadAnew(run: LogRun, index: number): Promise<void> {
  const { tools, log, streams } = run;
  const one = streams[index]!;
  const named = await nameTable(run, one.work.stream.selection);
  const source = await tools.openSource();
  one.place = await namingStream(one.work.stream.id, () => loadMarked(one.work, { source, named }));
  await source.close();
  run.seenUntil = await log.end({ signal: tools.signal });
}
