/** A file being written. Nothing is visible under its final name before `close` answers. */
export interface OutputFile {
  /** *Accepted* only; the buffers may be reused afterwards. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** *Durable*: data and name survive a crash. */
  close(): Promise<void>;
  /** Removes what was written; never throws. */
  abort(): Promise<void>;
}

/** Files of a warehouse. Paths are locations as tables name them: absolute folders or URLs of the storage's scheme. */
export interface Storage {
  createFile(path: string): Promise<OutputFile>;
  /** Writes a small file whole and durable. With `ifAbsent`, false when it is there already, and nothing changes. */
  put(path: string, bytes: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<boolean>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  readRange(path: string, start: number, end: number): Promise<Buffer>;
  size(path: string): Promise<number | undefined>;
  /** Atomic on one storage; replaces the target. */
  rename(from: string, to: string): Promise<void>;
  /** Paths of all files below the folder, recursive; empty when it does not exist. */
  list(folder: string): Promise<readonly string[]>;
  /** No error when it is gone already. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all below it. */
  removeFolder(path: string): Promise<void>;
}
