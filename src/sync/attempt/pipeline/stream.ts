import { Failure, toFailure } from '../../../errors.ts';
import { streamStateOf } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { knownSeq } from './checkpoint.ts';
import { createLedger } from './context.ts';
import type { RunTools, StreamWork } from './context.ts';
import { syncIncrementally } from './incremental.ts';
import { reconcile } from './reconcile.ts';
import { refreshStream } from './refresh.ts';
import { createSampler } from './sampling.ts';

const SAMPLE_SIZE = 256;

/** Brings one stream's table up to date and reconciles it. A failure names the stream. */
export async function syncStream(tools: RunTools, stream: ResolvedStream): Promise<void> {
  try {
    const table = await tools.destination.openTable({
      name: stream.table,
      columns: stream.tableColumns,
      checkpointKey: `${tools.work.project}/${tools.work.jobId}/${stream.id}`,
      run: tools.work.run,
      identifier: stream.appendMode ? undefined : '_olake_id',
      partition: stream.partition,
    });
    try {
      const work: StreamWork = {
        tools,
        stream,
        table,
        ledger: createLedger(tools, stream, table),
        sampler: createSampler(stream.selection, { size: SAMPLE_SIZE, world: tools.io.world }),
        progress: tools.meter.stream(stream.id),
      };
      await adopt(work);
      const totals = stream.mode === 'incremental' ? await syncIncrementally(work) : await refreshStream(work);
      tools.meter.reconciled(stream.id, await reconcile(work, totals));
    } finally {
      await table.close();
    }
  } catch (error) {
    throw nameStream(stream.id, error);
  }
}

/** Brings table and state row together (contract 9): the table's own checkpoint is the truth. */
async function adopt({ tools, stream, table, ledger }: StreamWork): Promise<void> {
  const known = knownSeq(streamStateOf(tools.state, stream.id));
  const seq = ledger.last?.seq;
  if (seq === undefined && known !== undefined && known > 0 && table.rows === 0) {
    tools.warn(`${stream.id}: its table is gone though the state says that it was loaded; it is loaded again`);
  }
  if (seq === undefined || seq === known) return;
  if (known !== undefined && seq < known) {
    tools.warn(`${stream.id}: the table is older than the state says; reading goes on from the table's checkpoint`);
  }
  await ledger.repair();
}

function nameStream(id: string, error: unknown): unknown {
  const failure = toFailure(error);
  if (failure.kind === 'cancelled' || failure.kind === 'lease_lost' || failure.message.includes(id)) return failure;
  const { advice, details } = failure;
  return new Failure(failure.kind, `stream ${id}: ${failure.message}`, { cause: failure, advice, details });
}
