import { Failure } from '../errors.ts';
import { demandUtf8, LONGEST_RECORD } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { createScanner } from './json-scan.ts';
import type { Scan } from './json-scan.ts';
import { NotJson } from './json-text.ts';
import type { RecordTaker } from './rows.ts';

export interface JsonFile {
  readonly location: string;
  /** True: one object on each line. False: objects one after the other, or in one array. Undefined: the file shows. */
  readonly lineDelimited: boolean | undefined;
  readonly drain?: () => Promise<void>;
  /** Asked at the end: true when the file may end in the middle of a record, which is not taken then. */
  readonly isCut?: () => boolean;
}

const LINE_FEED = 10;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** What finds records in the bytes. Both answer false when no more are wanted. */
interface Splitter {
  feed(piece: Buffer): boolean;
  end(cut: boolean): void;
}

/**
 * Reads a JSON file object by object: lines, objects one after the other, or one array of them, however large. Numbers
 * keep every digit. A line that is no object is refused as a row; a file that is no JSON ends the read.
 */
export async function readJson(bytes: Bytes, file: JsonFile, taker: RecordTaker): Promise<void> {
  let splitter: Splitter | undefined;
  let head: Buffer = Buffer.alloc(0);
  for await (const piece of demandUtf8(bytes, file.location)) {
    let next = piece;
    if (splitter === undefined) {
      head = Buffer.concat([head, piece]);
      splitter = chooseSplitter(head, file, taker);
      if (splitter === undefined) continue;
      next = withoutMark(head);
    }
    const wanted = splitter.feed(next);
    await file.drain?.();
    if (!wanted) return;
  }
  if (splitter === undefined) {
    splitter = splitLines(file, taker);
    splitter.feed(withoutMark(head));
  }
  splitter.end(file.isCut?.() === true);
  await file.drain?.();
}

function withoutMark(head: Buffer): Buffer {
  return head.indexOf(MARK) === 0 ? head.subarray(MARK.length) : head;
}

/** A first line of which no end is seen within this is hardly one of many. */
const LONGEST_LOOK = 1024 * 1024;

/** An array is read as one whatever was said; else lines, unless the first line holds no whole object. */
function chooseSplitter(head: Buffer, file: JsonFile, taker: RecordTaker): Splitter | undefined {
  const text = withoutMark(head);
  const first = text.findIndex((byte) => byte > 32);
  if (first < 0) return undefined;
  if (text[first] === 91 || file.lineDelimited === false) return splitValues(file, taker);
  if (file.lineDelimited === true) return splitLines(file, taker);
  const lineEnd = text.indexOf(LINE_FEED, first);
  if (lineEnd < 0) return head.length > LONGEST_LOOK ? splitValues(file, taker) : undefined;
  return isObject(text.subarray(first, lineEnd)) ? splitLines(file, taker) : splitValues(file, taker);
}

function isObject(line: Buffer): boolean {
  const nobody: RecordTaker = {
    texts: [],
    spellings: [],
    knows: () => false,
    slotOf: () => -1,
    take: () => true,
    refuse: () => true,
  };
  try {
    createScanner(nobody)(line, 0, line.length);
    return true;
  } catch {
    return false;
  }
}

/** A line feed never stands inside a JSON text, so lines are found without looking into them. */
function splitLines({ location }: JsonFile, taker: RecordTaker): Splitter {
  const scan = createScanner(taker);
  let open: Buffer[] = [];
  let openBytes = 0;
  let line = 1;
  function takeLine(bytes: Buffer, start: number, end: number): boolean {
    let from = start;
    while (from < end && bytes[from]! <= 32) from++;
    if (from === end) return true;
    try {
      scan(bytes, from, end);
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      return taker.refuse(`the line is no JSON object: ${error.message} (byte ${error.at + 1})`, line);
    }
    return taker.take(line);
  }
  function takeOpen(rest: Buffer): boolean {
    const whole = Buffer.concat([...open, rest]);
    open = [];
    openBytes = 0;
    return takeLine(whole, 0, whole.length);
  }
  return {
    feed(piece) {
      let start = 0;
      for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, start)) {
        const wanted = open.length > 0 ? takeOpen(piece.subarray(start, end)) : takeLine(piece, start, end);
        if (!wanted) return false;
        line++;
        start = end + 1;
      }
      if (start < piece.length) {
        open.push(Buffer.from(piece.subarray(start)));
        openBytes += piece.length - start;
        if (openBytes > LONGEST_RECORD) throw tooLong(location, line);
      }
      return true;
    },
    end(cut) {
      if (open.length > 0 && !cut) takeOpen(Buffer.alloc(0));
    },
  };
}

function tooLong(location: string, line: number): Failure {
  const most = `${LONGEST_RECORD >> 20} MiB`;
  return new Failure('value_refused', `${location}:${line}: the record is longer than ${most}`);
}

/** Objects of one array, or one after the other. Brackets outside texts tell where each ends. */
function splitValues({ location }: JsonFile, taker: RecordTaker): Splitter {
  const scan = createScanner(taker);
  const brackets = createBrackets();
  let open: Buffer[] = [];
  let openBytes = 0;
  let record = 0;
  /** Of the array around all: not seen, seen, its end seen. */
  let array: 'none' | 'open' | 'closed' = 'none';

  const broken = (reason: string): Failure =>
    new Failure('value_refused', `${location}: after record ${record} ${reason}: the file is no JSON`);

  /** Outside of any record: only what separates records may stand here. */
  function between(byte: number): void {
    if (byte <= 32 || (byte === 44 && array === 'open' && record > 0)) return;
    if (byte === 91 && array === 'none' && record === 0) array = 'open';
    else if (byte === 93 && array === 'open') array = 'closed';
    else throw broken(`stands ${JSON.stringify(String.fromCharCode(byte))}, where an object is expected`);
  }
  function takeRecord(last: Buffer): boolean {
    const whole = open.length === 0 ? last : Buffer.concat([...open, last]);
    open = [];
    openBytes = 0;
    return takeOne({ scan, taker, record: ++record }, whole);
  }
  function keepOpen(rest: Buffer): void {
    open.push(Buffer.from(rest));
    openBytes += rest.length;
    if (openBytes > LONGEST_RECORD) throw tooLong(location, record + 1);
  }
  return {
    feed(piece) {
      let at = 0;
      while (at < piece.length) {
        if (brackets.depth === 0 && (piece[at] !== 123 || array === 'closed')) {
          between(piece[at++]!);
          continue;
        }
        const end = brackets.pass(piece, at);
        if (end === piece.length) keepOpen(piece.subarray(at));
        else if (!takeRecord(piece.subarray(at, end + 1))) return false;
        at = end + 1;
      }
      return true;
    },
    end(cut) {
      if (!cut && (brackets.depth > 0 || array === 'open')) throw broken('the file ends too early');
    },
  };
}

/** How many brackets are open, those in texts left aside. */
function createBrackets() {
  let depth = 0;
  let inText = false;
  let escaped = false;
  return {
    get depth() {
      return depth;
    },
    /** Goes on from a bracket, or within one, and answers where the last of them closes; else the piece's length. */
    pass(piece: Buffer, from: number): number {
      let at = from;
      for (; at < piece.length; at++) {
        const byte = piece[at]!;
        if (escaped) escaped = false;
        else if (inText) {
          if (byte === 92) escaped = true;
          else if (byte === 34) inText = false;
        } else if (byte === 34) inText = true;
        else if (byte === 123 || byte === 91) depth++;
        else if ((byte === 125 || byte === 93) && --depth === 0) break;
      }
      return at;
    },
  };
}

function takeOne(to: { scan: Scan; taker: RecordTaker; record: number }, bytes: Buffer): boolean {
  const { scan, taker, record } = to;
  try {
    scan(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    return taker.refuse(`record ${record} is no JSON object: ${error.message} (byte ${error.at + 1})`, record);
  }
  return taker.take(record);
}
