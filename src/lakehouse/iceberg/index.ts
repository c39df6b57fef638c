export type { CommitCheckpoint } from './checkpoint.ts';
export { describeColumns } from './describe.ts';
export { commitTime, currentSnapshot, findSnapshot, formatMetadata, parseMetadata, succeed } from './metadata.ts';
export { formatExactJson } from './exact.ts';
export { metadataVersion } from './names.ts';
export type { MetadataVersion } from './metadata.ts';
export type { IcebergField, IcebergSchema, PartitionSpec, Snapshot, TableMetadata } from './model.ts';
export { deleteModes } from './delete-mode.ts';
export type { DeleteMode } from './delete-mode.ts';
export { dropIcebergTable } from './drop.ts';
export { renameColumn } from './evolve.ts';
export { joinIcebergTable } from './join.ts';
export type { IcebergWriter, IcebergWriterUnit } from './join.ts';
export { folderWord } from './partition.ts';
export { icebergStoppingPoints } from './points.ts';
export type { IcebergStoppingPoint } from './points.ts';
export { referencedFiles } from './recovery.ts';
export { readRowsAt } from './rows.ts';
export { planScan, scanLiveRows } from './scan.ts';
export type { ScannedFile, ScanPlan } from './scan.ts';
export { readEntries, readManifests } from './manifest-files.ts';
export type {
  CommitEffect,
  IcebergCommit,
  IcebergTable,
  IcebergTableOptions,
  IcebergTicket,
  IcebergUnit,
  SealedFiles,
} from './state.ts';
export { openIcebergTable } from './table.ts';
export type { RowLocation, WrittenBatch } from './unit-files.ts';
export type { RemovalMark } from './upsert.ts';
