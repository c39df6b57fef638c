import { OPERATION } from '../../../../connectors/kit/index.ts';
import type { ChangeBatch, CommitUnit, LogPosition } from '../../../../connectors/kit/index.ts';
import { keepChanges } from '../../decorate/index.ts';
import type { LogPlace } from '../checkpoint.ts';
import { allOrFirstCause, createLimit } from '../limit.ts';
import { writeBatch } from '../load.ts';
import { namingStream } from '../stream.ts';
import type { LogRun, LogStream } from './log-run.ts';

/** Tables commit a boundary together, so many at once. */
const COMMITS_AT_ONCE = 4;

interface OpenUnit {
  readonly unit: CommitUnit;
  /** Rows by operation. */
  readonly counts: [number, number, number, number];
}

/** What was read since the last boundary, one unit of files per stream. */
export interface Units {
  readonly bytes: number;
  /** Takes the changes of a stream. *Accepted* only. */
  write(stream: LogStream, changes: ChangeBatch): Promise<void>;
  /** *Durable*: every table holds its changes up to `position`. Answers how many rows that were. */
  commit(position: LogPosition): Promise<number>;
  abort(): Promise<void>;
}

export function createUnits(run: LogRun): Units {
  const open = new Map<LogStream, OpenUnit>();
  // Asked for after every transaction, and changed by batches only.
  let bytes = 0;
  const unitOf = (stream: LogStream): OpenUnit => {
    const known = open.get(stream);
    if (known) return known;
    const fresh: OpenUnit = { unit: stream.work.table.beginUnit(), counts: [0, 0, 0, 0] };
    open.set(stream, fresh);
    return fresh;
  };
  return {
    get bytes() {
      return bytes;
    },
    async write(stream, changes) {
      const { unit, counts } = unitOf(stream);
      const earlier = unit.bytes;
      await writeBatch(stream.work, unit, {
        batch: changes.batch,
        decorator: {
          decorate(batch, marks) {
            const kept = marks ? keepChanges(changes, batch, marks) : { ...changes, batch };
            for (let row = 0; row < batch.rows; row++) counts[kept.operations[row]!]!++;
            return stream.decorate(kept);
          },
        },
      });
      bytes += unit.bytes - earlier;
    },
    async commit(position) {
      const full = [...open];
      const atOnce = createLimit(COMMITS_AT_ONCE);
      let rows = 0;
      const works = full.map(
        ([stream, one]) =>
          () =>
            atOnce(() =>
              namingStream(stream.work.stream.id, async () => {
                await commitUnit(stream, one, placeAt(run, stream, position));
                open.delete(stream);
                rows += one.unit.rows;
              }),
            ),
      );
      await allOrFirstCause(works, () => undefined);
      bytes = 0;
      for (const stream of run.streams) stream.place = placeAt(run, stream, position);
      return rows;
    },
    async abort() {
      for (const { unit } of open.values()) await unit.abort();
      open.clear();
    },
  };
}

async function commitUnit({ work }: LogStream, { unit, counts }: OpenUnit, log: LogPlace): Promise<void> {
  const { progress, stream, tools } = work;
  const written = {
    inserted: progress.inserted + counts[OPERATION.inserted],
    updated: progress.updated + counts[OPERATION.updated],
    deleted: progress.deleted + counts[OPERATION.deleted],
  };
  await work.ledger.commit(
    () => ({ log, written }),
    (checkpoint) => unit.commit(stream.appendMode ? 'append' : 'upsert', checkpoint),
  );
  Object.assign(progress, written);
  tools.meter.committed(unit.rows);
}

/** Where the stream is once everything up to `position` is in its table. A later load may have brought it further. */
function placeAt({ log, seenUntil }: LogRun, { place }: LogStream, position: LogPosition): LogPlace {
  const reached = log.compare(position, place.position) > 0 ? position : place.position;
  return { ...place, position: reached, seen: log.compare(reached, seenUntil) > 0 ? null : place.seen };
}
