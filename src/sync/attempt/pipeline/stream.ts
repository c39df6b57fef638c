import { Failure, toFailure } from '../../../errors.ts';
import { streamStateOf } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { createFit, dependsOnTable, fitStream } from '../fit/index.ts';
import { isEdited, knownSeq, knowsCommit } from './checkpoint.ts';
import { createLedger, describeTable } from './context.ts';
import type { RunTools, StreamWork } from './context.ts';
import { syncIncrementally } from './incremental.ts';
import { reconcile } from './reconcile.ts';
import { refreshStream } from './refresh.ts';
import { createSampler } from './sampling.ts';

const SAMPLE_SIZE = 256;

/** Brings one stream's table up to date by reading rows, and reconciles it. A failure names the stream. */
export function syncStream(tools: RunTools, stream: ResolvedStream): Promise<void> {
  return namingStream(stream.id, async () => {
    const work = await openStream(tools, stream);
    try {
      const totals = stream.mode === 'incremental' ? await syncIncrementally(work) : await refreshStream(work);
      tools.meter.reconciled(stream.id, await reconcile(work, totals));
    } finally {
      await work.table.close();
    }
  });
}

/** Opens the stream's table and brings it and the state row together; the caller closes the table. */
export async function openStream(tools: RunTools, wanted: ResolvedStream): Promise<StreamWork> {
  const there = dependsOnTable(wanted) ? await tools.destination.describeTable(wanted.table) : undefined;
  const stream = fitStream(wanted, there, tools.warn);
  const table = await tools.destination.openTable(describeTable(tools.work, stream));
  const work: StreamWork = {
    tools,
    stream,
    table,
    ledger: createLedger(tools, stream, table),
    fit: createFit(stream),
    sampler: createSampler(stream.selection, { size: SAMPLE_SIZE, world: tools.io.world }),
    progress: tools.meter.stream(stream.id),
  };
  try {
    await adopt(work);
  } catch (error) {
    await table.close();
    throw error;
  }
  return work;
}

/** Brings table and state row together (contract 9): the table's own checkpoint is the truth. */
async function adopt({ tools, stream, table, ledger }: StreamWork): Promise<void> {
  const entry = streamStateOf(tools.state, stream.id);
  const known = knownSeq(entry);
  const seq = ledger.last?.seq;
  if (seq === undefined && known !== undefined && known > 0 && table.rows === 0) {
    tools.warn(`${stream.id}: its table is gone though the state says that it was loaded; it is loaded again`);
  }
  if (ledger.last === undefined) return;
  if (isEdited(stream, entry, ledger.last)) {
    const advice = 'to read rows again, clear the destination';
    tools.warn(
      `${stream.id}: its state was changed by hand; reading goes on from the table's own checkpoint; ${advice}`,
    );
  } else if (knowsCommit(entry, ledger.last)) return;
  if (known !== undefined && ledger.last.seq < known) {
    tools.warn(`${stream.id}: the table is older than the state says; reading goes on from the table's checkpoint`);
  }
  await ledger.repair();
}

/** A failure of `work` names the stream. */
export async function namingStream<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw nameStream(id, error);
  }
}

function nameStream(id: string, error: unknown): unknown {
  const failure = toFailure(error);
  if (failure.kind === 'cancelled' || failure.kind === 'lease_lost' || failure.message.includes(id)) return failure;
  const { advice, details } = failure;
  return new Failure(failure.kind, `stream ${id}: ${failure.message}`, { cause: failure, advice, details });
}
