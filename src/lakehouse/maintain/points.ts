/** The stopping points of upkeep besides those of every commit; a crash at any of them must be harmless. */
export const upkeepStoppingPoints = [
  'upkeep.compaction-written',
  'upkeep.compaction-committed',
  'upkeep.snapshots-forgotten',
  'upkeep.expired-file-removed',
  'upkeep.orphan-removed',
] as const;
