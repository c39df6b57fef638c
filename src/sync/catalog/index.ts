export { buildCatalog, defaultsOf, selectStream, sourceColumnNames } from './build.ts';
export type { CatalogNaming, StreamDefaults } from './build.ts';
export { differCatalogs, selectedIds } from './difference.ts';
export { readFilter, withTextFilters } from './filter.ts';
export { mergeCatalog } from './merge.ts';
export {
  ADDED_COLUMNS,
  COMMIT_TIME_COLUMN,
  destinationDatabase,
  reformat,
  streamId,
  uniqueNames,
  writtenDatabase,
} from './names.ts';
export { parseCatalog } from './parse.ts';
export { addedColumns, keptBesideData, resolveStream, tableOf } from './resolve.ts';
export type { ResolvedStream, SchemaPolicy } from './resolve.ts';
export {
  parseState,
  STATE_VERSION,
  stateValue,
  streamStateOf,
  withoutStreams,
  withChange,
  writeState,
} from './state.ts';
export { catalogWord } from './words.ts';
