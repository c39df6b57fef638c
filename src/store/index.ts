export { connectStore } from './connect.ts';
export { connectEmbedded, startEmbeddedPostgres, withDatabase } from './embedded/index.ts';
export type { Binaries, EmbeddedOptions, EmbeddedPostgres } from './embedded/index.ts';
export { migrate, readMigrations } from './migrate.ts';
export type { Migration } from './migrate.ts';
export { openStore } from './open.ts';
export type { OpenOptions } from './open.ts';
export type { Database, Db, Queryable, Store, Transaction } from './types.ts';
