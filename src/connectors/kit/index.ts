export { createBatches } from './batches.ts';
export type { Batches, BatchFiller } from './batches.ts';
export { OPERATION } from './changes.ts';
export { tableDataset } from './dataset.ts';
export type { DatasetName } from './dataset.ts';
export { createDigester, DIGEST_NULL, DIGEST_SEPARATOR, MOST_BUCKETS } from './digest.ts';
export type { Digest, DigestBucket } from './digest.ts';
export { digestByReading } from './digest-by-reading.ts';
export { checkFilter, compareDecimals, passes } from './filter.ts';
export {
  asFields,
  invalidField,
  parseHost,
  parsePort,
  parseSsl,
  parseText,
  parseThreads,
  refuseTunnel,
} from './server-config.ts';
export type { Fields, SslConfig } from './server-config.ts';
export { portField, serverFields, serverHints } from './server-form.ts';
export { createTakenSocket, takeBytes } from './intake.ts';
export type { Intake, TakeBytes } from './intake.ts';
export type { CatalogEntry, CatalogPort, TableName } from '../../lakehouse/index.ts';
export type * from './changes.ts';
export type * from './destination.ts';
export type * from './protocol.ts';
export type * from './source.ts';
export type * from './sql.ts';
export type * from './stream.ts';
