import type { LogPlace } from '../snapshot.ts';
import { storeInstant } from '../wire/values.ts';
import { commitMicros, EVENT, type LogEvent } from './events.ts';
import { addGtid, type Gtid, type Gtids } from './gtids.ts';

/** Where the reading stands: the place behind the last event, and the transaction that is open there. */
export interface LogCursor {
  /** Behind the last whole transaction. */
  readonly place: LogPlace;
  /** Behind the last event. */
  readonly offset: number;
  /** Name of the file, as bytes. */
  readonly file: Buffer;
  /** Inside of a transaction. */
  readonly isOpen: boolean;
  /** True once the place is behind a transaction, or where the server says that nothing of ours lies before. */
  hasMoved: boolean;
  /** Every transaction up to `place`; undefined while that is not known. */
  gtids: Gtids | undefined;
  /** Of the open transaction. */
  gtid: Gtid | undefined;
  /** The open transaction ends with a commit; otherwise with its only statement. */
  endsByCommit: boolean;
  /** True when the open transaction changed rows that were handed on. */
  hasRows: boolean;
  /** Microseconds of the commit of the open transaction, as two words. */
  readonly time: Int32Array;
  enterFile(place: LogPlace): void;
  /** Notes where an event of a file ends. */
  pass(event: LogEvent): void;
  /** Notes the end that a heartbeat tells; events in between are none of ours. */
  passHeartbeat(offset: number): void;
  /** A transaction begins; the event says when it is committed, or when its first statement began. */
  begin(event: LogEvent, gtid?: Gtid): void;
  /** The transaction, or what stood alone, is complete: `place` moves behind it. */
  end(): void;
  /** Passes over what belongs to no transaction. */
  skip(): void;
}

const WORD = 2 ** 32;

export function createLogCursor(from: LogPlace, known?: Gtids): LogCursor {
  let place = from;
  let offset = from.offset;
  let file = Buffer.from(from.file);
  let isOpen = false;
  const time = new Int32Array(2);
  return {
    get place() {
      return place;
    },
    get offset() {
      return offset;
    },
    get file() {
      return file;
    },
    get isOpen() {
      return isOpen;
    },
    hasMoved: false,
    gtids: known,
    gtid: undefined as Gtid | undefined,
    endsByCommit: false,
    hasRows: false,
    time,
    enterFile(next) {
      if (next.file !== place.file) {
        place = next;
        file = Buffer.from(next.file);
      }
      offset = next.offset;
    },
    pass(event) {
      if (event.offset !== 0) offset = nextOffset(offset, event);
    },
    passHeartbeat(next) {
      if (!isOpen && next > offset) offset = next;
    },
    begin(event, numbered) {
      isOpen = true;
      this.gtid = numbered;
      storeCommit(event, time);
    },
    end() {
      isOpen = false;
      this.hasRows = false;
      this.endsByCommit = false;
      this.hasMoved = true;
      if (this.gtid && this.gtids) addGtid(this.gtids, this.gtid);
      this.gtid = undefined;
      place = { file: place.file, offset };
    },
    skip() {
      place = { file: place.file, offset };
    },
  };
}

/** A file may outgrow the 32 bits of a place: then it begins from zero. */
function nextOffset(offset: number, event: LogEvent): number {
  const turns = Math.floor(offset / WORD) * WORD;
  const next = turns + event.offset;
  return next < offset && offset - next > WORD / 2 ? next + WORD : next;
}

function storeCommit(event: LogEvent, out: Int32Array): void {
  const micros = event.type === EVENT.gtid ? commitMicros(event) : undefined;
  const seconds = micros === undefined ? event.timestamp : Math.floor(micros / 1_000_000);
  storeInstant(seconds, micros === undefined ? 0 : micros % 1_000_000, { out, index: 0 });
}
