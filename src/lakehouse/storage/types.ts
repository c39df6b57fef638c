/** A file being written. Nothing is visible under its final name before `close` answers. */
export interface OutputFile {
  /** *Accepted* only; the buffers may be reused afterwards. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** *Durable*: data and name survive a crash. */
  close(): Promise<void>;
  /** Removes what was written; never throws. */
  abort(): Promise<void>;
}

/** A file as a listing tells of it. */
export interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  readonly modified: Date;
  /** Changes when the content does; undefined where the storage keeps no such mark. */
  readonly tag: string | undefined;
}

export interface StreamOptions {
  /** First byte; 0 when absent. */
  readonly start?: number;
  /** Exclusive; the whole rest when absent. */
  readonly end?: number;
  /** As a listing told it: a file that changed since is refused with `storage_failed`. Disks keep no such mark. */
  readonly tag?: string;
  /** Ends the stream with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Files of a warehouse. Paths are locations as tables name them: absolute folders of this machine, `file://` URLs, or
 * `s3://bucket/key`. Whatever is interrupted may be repeated.
 */
export interface Storage {
  /** Memory is bounded whatever the size: `write` answers late while the storage is slow. */
  createFile(path: string): Promise<OutputFile>;
  /**
   * Writes a small file whole and durable. With `ifAbsent`, false when it is there already with other bytes, and nothing
   * changes: of several writers one succeeds, so bytes must tell their writer.
   */
  put(path: string, bytes: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<boolean>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  readRange(path: string, start: number, end: number): Promise<Buffer>;
  /** The bytes from `start` on, in pieces, read as fast as they are taken. A broken connection is resumed. */
  readStream(path: string, options?: StreamOptions): AsyncIterable<Buffer>;
  size(path: string): Promise<number | undefined>;
  /**
   * Gives a closed file another name on the same storage. The target appears whole; a crash may leave both names, and
   * repeating the move is harmless. Fails when the file is not there. On S3 the store copies: it costs time with the size.
   */
  move(from: string, to: string): Promise<void>;
  /**
   * Paths of all files below the folder, recursive, sorted; empty when it does not exist. With `unfinished`, also those
   * that were begun and not closed, by a name beside their own that `remove` takes; `finishedName` tells theirs.
   */
  list(folder: string, options?: { readonly unfinished?: boolean }): Promise<readonly string[]>;
  /** All files below the folder, as they come; the listing is never held as a whole. */
  walk(folder: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<StoredFile>;
  /** No error when it is gone already. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all below it, begun files included. */
  removeFolder(path: string): Promise<void>;
}
