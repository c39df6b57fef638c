export type { Database, Db, Queryable, Store, Transaction } from './types.ts';
