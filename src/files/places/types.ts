import type { Bytes } from '../bytes.ts';

/** A file as a place lists it. */
export interface ListedFile {
  /** Full path or address: names the file in sentences and orders the files of a stream. Without credentials. */
  readonly location: string;
  /** Path below the place, parts joined by `/`. */
  readonly path: string;
  readonly bytes: number;
  /** Microseconds since 1970. */
  readonly modified: bigint;
  /** Changes with the content; '' where the place keeps no such mark. */
  readonly tag: string;
}

/** Where files lie: a folder, a single file, a bucket, an address. */
export interface Place {
  /** The namespace of its streams. */
  readonly namespace: string;
  /** The text that `file_pattern` is matched with. */
  patternText(file: ListedFile): string;
  /** All files below, in any order; entries that are not for us are left out. */
  list(signal: AbortSignal): Promise<ListedFile[]>;
  /** Opens the file as it was listed. Throws `connection_lost`, which is tried again, when it has changed since. */
  open(file: ListedFile, signal: AbortSignal): Promise<OpenFile>;
}

/** A file being read. */
export interface OpenFile {
  /** The bytes from the first to the last that was listed. */
  stream(): Bytes;
  /** Exactly these bytes. */
  range(start: number, end: number): Promise<Uint8Array>;
  /**
   * True when the file is longer now than it was when listed; final when `stream` has ended. Only plain text may be read
   * then, and its last record may be incomplete.
   */
  readonly grown: boolean;
  /** After the last `range`: throws `connection_lost` when the parts may be of two versions. */
  confirm(): Promise<void>;
  close(): Promise<void>;
}

/** Names that begin so are never data: hidden files, markers, temporary ones. */
export function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') || part.startsWith('_'));
}
