export { withDatabase } from './address.ts';
export { findServerFolders } from './layout.ts';
export { connectEmbedded, startEmbeddedPostgres } from './start.ts';
export type { Binaries, EmbeddedOptions, EmbeddedPostgres } from './types.ts';
