import type { ColumnBatch } from '../../../columns/index.ts';
import type { CursorBound } from '../../../connectors/kit/index.ts';
import { createDecorator } from '../decorate/index.ts';
import type { SyncCheckpoint } from './checkpoint.ts';
import type { StreamWork } from './context.ts';
import { countWritten, createUnits, endFollowing } from './follow.ts';
import { BATCH, refuse, writeBatch } from './load.ts';
import type { TableTotals } from './reconcile.ts';

/**
 * Reads the parts (files) that are new since the last run. A commit ends where a part ends, so each is in the table as a
 * whole or not at all: rows are added, equal ones as often as they stand there, and none is remembered by itself.
 */
export async function followParts(work: StreamWork, last: SyncCheckpoint): Promise<TableTotals> {
  const { tools, stream } = work;
  if (last.run === tools.work.run) countWritten(work, last);
  const cursor = stream.cursor!;
  const after = last.cursor!.values;
  const without = last.boundary?.parts ?? [];
  const upTo: CursorBound = { cursor, values: await tools.source.maxCursor(stream.selection, cursor) };
  let reached = { value: after.primary, parts: [...without] };
  const units = createUnits(work, {
    effect: 'append',
    details: () => ({
      cursor: { ...cursor, values: { primary: reached.value, fallback: null } },
      boundary: { primary: [], fallback: [], parts: [...reached.parts] },
    }),
  });
  const decorator = createDecorator(stream, { operation: 'u', world: tools.io.world });
  try {
    await tools.reading(() =>
      tools.source.readAfter(stream.selection, {
        ...BATCH,
        cursor,
        after,
        upTo: upTo.values,
        without,
        signal: tools.signal,
        sink: (batch: ColumnBatch) => writeBatch(work, units.open(), { batch, decorator }),
        async partDone({ name, value }) {
          if (value === reached.value) reached.parts.push(name);
          else reached = { value, parts: [name] };
          await units.commitWhenFull();
        },
        refuse: (row) => refuse(work, row),
      }),
    );
    tools.io.world.reach('sync.unit-read');
    await units.commit();
  } finally {
    await units.abort();
  }
  return endFollowing(work, units, upTo);
}
