import { createInflateRaw } from 'node:zlib';
import { Failure } from '../errors.ts';
import { through } from './inflate.ts';
import type { ListedFile, OpenFile } from './places/types.ts';
import { isHidden } from './places/types.ts';

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly encrypted: boolean;
  readonly packed: number;
  /** Of the entry's own header in the archive. */
  readonly offset: number;
}

const STORED = 0;
const DEFLATED = 8;
const END_MARK = 0x06054b50;
const ENTRY_MARK = 0x02014b50;
const HEADER_MARK = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const HEADER_BYTES = 30;
/** A value that stands in the larger header of a format that is not read. */
const ELSEWHERE = 0xffffffff;
const LONGEST_COMMENT = 65_535;
const MOST_LISTING = 16 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

/**
 * The one data file of a zip archive (APPNOTE 6.3, without Zip64 and encryption); folders, hidden entries and what macOS
 * adds do not count. An archive of several is refused: their rows would be read under the first one's header.
 */
export async function* unzip(opened: OpenFile, file: ListedFile): AsyncGenerator<Uint8Array> {
  const entries = await readEntries(opened, file);
  const [entry, second] = entries.filter(({ name }) => !name.endsWith('/') && !isHidden(name));
  if (entry === undefined) return;
  if (second !== undefined) throw damaged(file, `holds several files ("${entry.name}", "${second.name}")`);
  if (entry.encrypted) throw damaged(file, 'is encrypted');
  const header = viewOf(await opened.range(entry.offset, entry.offset + HEADER_BYTES));
  if (header.getUint32(0, true) !== HEADER_MARK) throw damaged(file, 'is damaged: an entry is not where it should be');
  const start = entry.offset + HEADER_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  const packed = pieces(opened, start, Math.min(start + entry.packed, file.bytes));
  if (entry.method === STORED) yield* packed;
  else if (entry.method === DEFLATED) yield* through(createInflateRaw(), packed, file.location);
  else throw damaged(file, `uses the compression method ${entry.method}, which is not read`);
}

async function* pieces(opened: OpenFile, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += PIECE_BYTES) yield opened.range(at, Math.min(end, at + PIECE_BYTES));
}

/** The list at the archive's end. */
async function readEntries(opened: OpenFile, file: ListedFile): Promise<Entry[]> {
  const tailStart = Math.max(0, file.bytes - END_BYTES - LONGEST_COMMENT);
  const tail = viewOf(await opened.range(tailStart, file.bytes));
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END_MARK) at--;
  if (at < 0) throw damaged(file, 'is damaged: it has no end');
  const bytes = tail.getUint32(at + 12, true);
  const start = tail.getUint32(at + 16, true);
  if (start === ELSEWHERE || bytes > MOST_LISTING) throw damaged(file, 'is too large for a zip archive that is read');
  if (start + bytes > file.bytes) throw damaged(file, 'is damaged: its list lies beyond its end');
  return parseEntries(viewOf(await opened.range(start, start + bytes)), file);
}

function parseEntries(list: DataView, file: ListedFile): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + ENTRY_BYTES <= list.byteLength;) {
    if (list.getUint32(at, true) !== ENTRY_MARK) throw damaged(file, 'is damaged: its list cannot be read');
    const nameBytes = list.getUint16(at + 28, true);
    const name = Buffer.from(list.buffer, list.byteOffset + at + ENTRY_BYTES, Math.min(nameBytes, rest(list, at)));
    const [packed, offset] = [list.getUint32(at + 20, true), list.getUint32(at + 42, true)];
    if (packed === ELSEWHERE || offset === ELSEWHERE)
      throw damaged(file, 'is too large for a zip archive that is read');
    entries.push({
      name: name.toString(),
      method: list.getUint16(at + 10, true),
      encrypted: (list.getUint16(at + 8, true) & 1) === 1,
      packed,
      offset,
    });
    at += ENTRY_BYTES + nameBytes + list.getUint16(at + 30, true) + list.getUint16(at + 32, true);
  }
  return entries;
}

function rest(list: DataView, at: number): number {
  return list.byteLength - at - ENTRY_BYTES;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(file: ListedFile, problem: string): Failure {
  return new Failure('value_refused', `${file.location} ${problem}`);
}
