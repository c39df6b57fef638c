import { createDigester } from './digest.ts';
import type { Digest } from './digest.ts';
import type { SourceSession } from './source.ts';
import type { StreamSelection } from './stream.ts';

const BATCH = { batchRows: 65_536, batchBytes: 16 * 1024 * 1024 };

/**
 * The digest for a source that cannot sum up its rows itself: reads all of them, and adds them up here. Rows that no load
 * could take are left out, as loads leave them out. Memory: one batch.
 */
export async function digestByReading(
  session: Pick<SourceSession, 'planLoad' | 'readChunk'>,
  stream: StreamSelection,
  { buckets, signal }: { readonly buckets: number; readonly signal: AbortSignal },
): Promise<Digest> {
  const names = stream.columns.map(({ name }) => name);
  const key = stream.primaryKey.map((name) => names.indexOf(name)).filter((at) => at >= 0);
  const digester = createDigester({ columns: names.map((_, at) => at), key, buckets });
  const { chunks } = await session.planLoad(stream, { targetBytes: Number.MAX_SAFE_INTEGER, signal });
  const reading = { ...BATCH, signal, sink: async (batch: Parameters<typeof digester.add>[0]) => digester.add(batch) };
  for (const chunk of chunks) await session.readChunk(stream, { ...reading, chunk, refuse: () => undefined });
  return { buckets: digester.finish(), columns: names };
}
