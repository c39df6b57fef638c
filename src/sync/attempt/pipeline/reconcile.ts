import type { Reconciliation } from '../../types.ts';
import type { StreamWork } from './context.ts';
import type { Sample } from './sampling.ts';

/** Row totals after a stream. */
export interface TableTotals {
  readonly sourceRows: number | null;
  readonly tableRows: number;
  /** Rows of the source that quarantine kept out of the table. */
  readonly leftOut: number;
  /** False when totals may differ without anything being wrong: deletes and updates since the load. */
  readonly exact: boolean;
  /** Rows may have changed at the source since they were written: samples are compared as written only. */
  readonly moving?: boolean;
  readonly note?: string;
}

/** Compares source and table: totals, and sampled rows read back from the files. Warns about any difference. */
export async function reconcile(work: StreamWork, totals: TableTotals): Promise<Reconciliation> {
  const { tools, stream, sampler } = work;
  const samples = sampler.samples.filter((sample) => sample !== undefined);
  const { compared, wrong } = await compareSamples(work, samples, totals.moving !== true && fetchable(work));
  const sameTotals = totals.sourceRows === totals.tableRows + totals.leftOut;
  const what = totals.exact || sameTotals ? 'in the table' : 'records in the table, replaced versions included';
  const counts = `${totals.sourceRows ?? 'uncounted'} rows in the source, ${totals.tableRows} ${what}`;
  const notes: string[] = totals.note === undefined ? [] : [totals.note];
  if (!sameTotals && !totals.exact && totals.note === undefined) {
    notes.push('totals may differ after updates and deletes');
  }
  if (totals.leftOut > 0) notes.push(`${totals.leftOut} rows are in quarantine`);
  if (samples.length > 0 && totals.moving !== true && !fetchable(work))
    notes.push('without a key, samples are compared with the rows as read');
  const different = wrong.length > 0 || (totals.exact && !sameTotals);
  const verdict = different ? 'different' : sameTotals ? 'equal' : 'not comparable';
  for (const line of wrong.slice(0, 5)) tools.warn(`${stream.id}: ${line}`);
  const sentence = `${stream.id}: reconciled, ${verdict}: ${counts}, ${wrong.length} of ${compared} sampled rows differ`;
  if (different) tools.warn(sentence);
  else if (totals.note === undefined) tools.io.log({ level: 'info', message: sentence });
  return {
    sourceRows: totals.sourceRows,
    tableRows: totals.tableRows,
    sampledRows: compared,
    mismatchedRows: wrong.length,
    verdict,
    ...(notes.length > 0 ? { note: notes.join('; ') } : {}),
  };
}

/** Converted values are spelled otherwise than those of the source. */
const fetchable = ({ stream, fit }: StreamWork): boolean =>
  stream.normalization && stream.selection.primaryKey.length > 0 && fit === undefined;

interface Comparison {
  /** Rows that could be compared: those that an upsert or upkeep wrote anew since lie elsewhere. */
  readonly compared: number;
  /** A sentence for each sampled row that is not in the table as it is in the source; values are not shown. */
  readonly wrong: readonly string[];
}

async function compareSamples(work: StreamWork, samples: readonly Sample[], withSource: boolean): Promise<Comparison> {
  if (samples.length === 0) return { compared: 0, wrong: [] };
  const { stream, table, tools } = work;
  const [stored, source] = await Promise.all([
    table.readRows(samples.map((sample) => sample.place)),
    withSource ? fetchRows(work, samples) : undefined,
  ]);
  const wrong: string[] = [];
  let compared = 0;
  samples.forEach((sample, index) => {
    const row = stored[index];
    if (row === undefined) return;
    compared++;
    const name = sample.key.length > 0 ? `row ${sample.key.join(', ')}` : `row ${sample.place.row}`;
    const asWritten = firstDifference(sample.written, row);
    const now = source?.get(JSON.stringify(sample.key));
    // A row that is gone from the source, or newer there, is the matter of the next run.
    const moved = source !== undefined && stream.mode === 'incremental' && (!now || isNewer(work, sample, now));
    const asSource = source === undefined || moved ? -1 : now ? firstDifference(now, row.slice(0, now.length)) : 0;
    const at = asWritten >= 0 ? asWritten : asSource;
    if (at >= 0) wrong.push(`${name} differs in column ${stream.tableColumns[at]?.name ?? at}`);
  });
  tools.signal.throwIfAborted();
  return { compared, wrong };
}

async function fetchRows(
  work: StreamWork,
  samples: readonly Sample[],
): Promise<Map<string, readonly (string | null)[]>> {
  const { selection } = work.stream;
  const keyAt = selection.primaryKey.map((name) => selection.columns.findIndex((column) => column.name === name));
  const keys = samples.map((sample) => sample.key);
  const rows = await work.tools.source.fetchByKey(selection, keys);
  return new Map(rows.map(({ values }) => [JSON.stringify(keyAt.map((at) => values[at] ?? '')), values]));
}

/** True when the source's cursor value is no longer the one that was written. */
function isNewer({ stream }: StreamWork, sample: Sample, now: readonly (string | null)[]): boolean {
  const names = [stream.cursor?.column, stream.cursor?.fallback];
  return stream.selection.columns.some((column, at) => names.includes(column.name) && now[at] !== sample.written[at]);
}

function firstDifference(expected: readonly (string | null)[], found: readonly (string | null)[]): number {
  return expected.findIndex((value, at) => value !== found[at]);
}
