import type { Chunk, SourceSession, TableWriter, WriterUnit } from '../../../connectors/kit/index.ts';
import { destinationContext, sourceContext } from '../context.ts';
import { createFit } from '../fit/index.ts';
import type { ChildIo } from '../io.ts';
import { trackBoundary } from '../pipeline/boundary.ts';
import { readChunk } from '../pipeline/load.ts';
import type { ReadingWork } from '../pipeline/load.ts';
import { createMeter } from '../pipeline/meter.ts';
import type { Meter } from '../pipeline/meter.ts';
import { createQuarantine } from '../pipeline/quarantine.ts';
import type { Quarantine } from '../pipeline/quarantine.ts';
import { watch } from '../pipeline/run.ts';
import { createSampler } from '../pipeline/sampling.ts';
import type { Sample } from '../pipeline/sampling.ts';
import type { ReadWork } from '../work.ts';
import type { Claim, HandOver, SharedSpec } from './types.ts';

/** Few, because they travel with each chunk; the committer keeps those of two batches of the whole load. */
const SAMPLE_SIZE = 64;
const MOST_SAMPLE_BYTES = 256 * 1024;

export interface ReadResult {
  readonly chunks: number;
  readonly rows: number;
}

interface Reader {
  readonly work: ReadWork;
  readonly io: ChildIo;
  readonly meter: Meter;
  readonly quarantine: Quarantine;
}

/** A load that this process helps with: its table and a source session that sees its moment. */
interface JoinedLoad {
  readonly id: string;
  readonly spec: SharedSpec;
  readonly source: SourceSession;
  readonly writer: TableWriter;
  close(): Promise<void>;
}

/** Reads chunks of the loads that the run shares, one after the other, until there are none, and hands them over. */
export async function readForOthers(work: ReadWork, outer: ChildIo): Promise<ReadResult> {
  const stop = new AbortController();
  const io: ChildIo = { ...outer, signal: AbortSignal.any([outer.signal, stop.signal]) };
  const meter = createMeter(io.world);
  const reader: Reader = {
    work,
    io,
    meter,
    quarantine: createQuarantine(work.advanced, { folder: work.runFolder, io }),
  };
  const endWatch = watch({ work, io, meter, stop });
  let joined: JoinedLoad | undefined;
  let chunks = 0;
  let rows = 0;
  try {
    for (;;) {
      io.signal.throwIfAborted();
      const claim = (await io.ask({ ask: 'share.claim', load: joined?.id ?? null })) as Claim | null;
      if (!claim) return { chunks, rows };
      io.world.reach('share.claimed');
      if (claim.spec) {
        await joined?.close();
        joined = undefined;
        joined = await join(reader, claim.load, claim.spec);
      }
      const read = await readOne(reader, joined!, claim);
      if (read === undefined) continue;
      chunks++;
      rows += read;
    }
  } finally {
    endWatch();
    await joined?.close();
  }
}

async function join({ work, io }: Reader, id: string, spec: SharedSpec): Promise<JoinedLoad> {
  const source = io.connectors.findSource(work.source.type);
  const destination = io.connectors.findDestination(work.destination.type);
  const closing: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const one of closing.toReversed()) await one.close();
  };
  try {
    const session = await source.open(work.source.config, { ...sourceContext(work, io), moment: spec.moment });
    closing.push(session);
    const lake = await destination.open(work.destination.config, destinationContext(work, io));
    closing.push(lake);
    const writer = await lake.joinTable(spec.table, spec.ticket);
    closing.push(writer);
    io.world.reach('share.joined');
    return { id, spec, source: session, writer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Answers the rows handed over; undefined when the load or the claim was over. */
async function readOne(reader: Reader, joined: JoinedLoad, { number, chunk }: Claim): Promise<number | undefined> {
  const { io } = reader;
  const unit = joined.writer.beginUnit();
  const handOver = await readInto(reader, joined, { unit, chunk: chunk as Chunk }).catch(async (error: unknown) => {
    await unit.abort();
    throw error;
  });
  io.world.reach('share.sealed');
  // When the answer is lost the committer may have the files: they stay, and the table's next opening decides.
  const accepted = (await io.ask({ ask: 'share.seal', load: joined.id, number, handOver })) as boolean;
  io.world.reach('share.handed-over');
  if (accepted) return handOver.sealed.rows;
  await unit.abort();
  return undefined;
}

async function readInto(
  { io, meter, quarantine }: Reader,
  { spec, source }: JoinedLoad,
  { unit, chunk }: { unit: WriterUnit; chunk: Chunk },
): Promise<HandOver> {
  const { stream, upTo } = spec;
  const { signal } = io;
  const sampler = createSampler(stream.selection, { size: SAMPLE_SIZE, world: io.world });
  const progress = meter.stream(stream.id);
  const reading: ReadingWork = {
    stream,
    sampler,
    fit: createFit(stream),
    progress,
    tools: { io, signal, source, meter, quarantine },
  };
  const boundary =
    upTo && stream.cursor && !upTo.parts
      ? trackBoundary(stream.selection, stream.cursor, { values: upTo.values })
      : undefined;
  const before = meter.snapshot().bytesRead;
  const { refused, counted } = await readChunk(reading, { chunk, unit, signal, load: { upTo, boundary } });
  io.world.reach('share.chunk-read');
  const sealed = await unit.seal();
  return {
    sealed,
    quarantined: refused,
    counted,
    bytesRead: meter.snapshot().bytesRead - before,
    batches: sampler.batches,
    samples: withinBytes(sampler.samples),
    ...(boundary ? { boundary: boundary.boundary } : {}),
  };
}

/** As many samples as their bytes allow. */
function withinBytes(samples: readonly Sample[]): Sample[] {
  let bytes = 0;
  return samples.filter((sample) => (bytes += JSON.stringify(sample).length) <= MOST_SAMPLE_BYTES);
}
