export { OPERATION } from './changes.ts';
export { checkFilter } from './filter.ts';
export { createTakenSocket, takeBytes } from './intake.ts';
export type { Intake, TakeBytes } from './intake.ts';
export type { CatalogEntry, CatalogPort, TableName } from '../../lakehouse/index.ts';
export type * from './changes.ts';
export type * from './destination.ts';
export type * from './protocol.ts';
export type * from './source.ts';
