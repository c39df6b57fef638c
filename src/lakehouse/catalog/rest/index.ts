export { applyUpdates, blankTable, readUpdates } from './apply.ts';
export { openRestCatalog } from './client.ts';
export type { RestCatalog, RestCatalogOptions } from './client.ts';
export type { RestCredentials } from './credentials.ts';
export { numberAnew, readSchema } from './field-ids.ts';
export { readPartitionField, readSortFields } from './apply-shape.ts';
export type { TableChange, TableRequirement, TableUpdate } from './protocol.ts';
export { readList, readObject, readText, readTexts } from './read.ts';
export { asksCreation, checkRequirements, readRequirements } from './requirements.ts';
