/** The named stopping points of the table protocol, in their order; a crash at any of them must be harmless. */
export const icebergStoppingPoints = [
  'iceberg.marker-written',
  'iceberg.data-file-started',
  'iceberg.data-file-written',
  'iceberg.delete-file-written',
  'iceberg.manifest-written',
  'iceberg.manifest-list-written',
  'iceberg.metadata-written',
  'iceberg.before-swap',
  'iceberg.swapped',
  'iceberg.old-metadata-removed',
  'iceberg.staged-forgotten',
  'iceberg.staged-removed',
  'iceberg.orphans-removed',
  'iceberg.marker-removed',
  'iceberg.drop-announced',
  'iceberg.dropped',
] as const;

export type IcebergStoppingPoint = (typeof icebergStoppingPoints)[number];
