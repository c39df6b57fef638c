import { Failure } from '../../../errors.ts';
import type { ChangeStream } from '../../kit/index.ts';
import { comparePlaces } from '../snapshot.ts';
import { covers, holds, type Gtids } from './gtids.ts';
import { isOf, parsePosition } from './position.ts';
import type { LogCursor } from './transactions.ts';

/** Up to where each stream is known already. */
export interface Starts {
  /** True when the transaction that the cursor stands in, or before, is known to the stream. */
  isKnown(stream: number): boolean;
  /** True when the place of the cursor can be compared with every start: it holds all of it, or nothing beyond it. */
  isComparable(): boolean;
}

/** Starts on the log of this server are places; those of other servers are decided by the numbers of transactions. */
export function createStarts(streams: readonly ChangeStream[], server: string | undefined, cursor: LogCursor): Starts {
  const starts = streams.map(({ after }) => {
    const place = parsePosition(after);
    if (isOf(place, server)) return { place };
    if (place.gtids) return { gtids: place.gtids };
    throw foreignFailure(after);
  });
  const elsewhere = starts.flatMap(({ gtids }) => gtids ?? []);
  return {
    isKnown(stream) {
      const start = starts[stream];
      if (start?.place) return comparePlaces(cursor.place, start.place) < 0;
      return start?.gtids !== undefined && cursor.gtid !== undefined && holds(start.gtids, cursor.gtid);
    },
    isComparable: () => elsewhere.every((start) => areComparable(start, cursor.gtids)),
  };
}

function areComparable(start: Gtids, reached: Gtids | undefined): boolean {
  return reached !== undefined && (covers(reached, start) || covers(start, reached));
}

/** Where a place of another server cannot be found in the log of this one. */
export function foreignFailure(position: string): Failure {
  return new Failure(
    'object_missing',
    `the change log is another server's now, and it cannot be told where ${position} is in it: that server did not have all that was read before, went another way, or does not keep GTIDs`,
    {
      advice:
        'Connect to a server that has all of it, or clear the destination of the job, so that its tables are loaded anew.',
    },
  );
}
