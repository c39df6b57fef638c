import assert from 'node:assert/strict';
import { test } from 'node:test';

const COMMIT = ['sync.before-commit', 'sync.committed', 'sync.state-saved'] as const;
const LOAD = ['sync.load-read', 'sync.chunk-read', 'sync.published'] as const;
const LOG = ['sync.log-read', 'sync.log-state-saved', 'sync.log-acknowledged'] as const;
const SLOT = ['postgres.slot-read-begun', 'postgres.boundary-acknowledged'] as const;
const ICEBERG = [
  'iceberg.marker-written',
  'iceberg.data-file-started',
  'iceberg.data-file-written',
  'iceberg.manifest-written',
  'iceberg.manifest-list-written',
  'iceberg.metadata-written',
  'iceberg.before-swap',
  'iceberg.swapped',
  'iceberg.marker-removed',
] as const;
const PARQUET = [
  'parquet.file-written',
  'parquet.before-manifest',
  'parquet.commit-decided',
  'parquet.file-visible',
  'parquet.manifest-written',
  'parquet.committed',
  'parquet.recovered',
] as const;

/**
 * The stopping points of the product (`world.reach` in `src`), by the suites of this folder that kill a process there. Suites
 * kill at whatever is reached; at its end each compares that with its list, and `points.test.ts` compares all lists with
 * the code. So a new point has to be tried, and one that is renamed, removed or not reached any more is noticed.
 */
export const POINTS = {
  'engine-points': [
    'engine.accepted',
    'engine.admitting',
    'engine.admitted',
    'engine.claimed',
    'engine.task-ended',
    'engine.finished',
    'engine.outbox-claimed',
    'engine.outbox-delivered',
  ],
  'sync-crash': [
    ...COMMIT,
    ...LOAD,
    'sync.unit-read',
    ...ICEBERG,
    'iceberg.delete-file-written',
    'iceberg.orphans-removed',
    ...PARQUET,
    'parquet.replaced-removed',
  ],
  'sync-s3': [
    'iceberg.before-swap',
    'iceberg.swapped',
    'parquet.commit-decided',
    'parquet.replaced-removed',
    's3.copied',
  ],
  'changes-crash': [...COMMIT, ...LOG, ...SLOT, ...ICEBERG, ...PARQUET],
  'crash-files': [...COMMIT, ...LOAD, 'sync.unit-read', ...ICEBERG, ...PARQUET],
  'crash-mysql': [...COMMIT, ...LOAD, ...LOG, 'sync.unit-read', ...ICEBERG, 'iceberg.delete-file-written', ...PARQUET],
  'crash-deletes': [
    ...COMMIT,
    ...LOG,
    ...SLOT,
    ...ICEBERG,
    'iceberg.delete-file-written',
    'upkeep.compaction-written',
    'upkeep.compaction-committed',
    'upkeep.snapshots-forgotten',
    'upkeep.expired-file-removed',
  ],
  'crash-clear': ['parquet.manifest-removed', 'iceberg.drop-announced', 'iceberg.dropped', 'clear.dropped'],
  'shared-load-crash': [
    ...COMMIT,
    ...LOAD,
    'share.begun',
    'share.claimed',
    'share.joined',
    'share.chunk-read',
    'share.sealed',
    'share.handed-over',
    'share.adopted',
    'share.noted',
    'iceberg.manifest-written',
    'parquet.file-written',
  ],
  'orchestrate-crash': [
    'orchestrate.token-bound',
    'orchestrate.token-minted',
    'orchestrate.job-started',
    'orchestrate.child-started',
    'orchestrate.task-ended',
  ],
  schedules: ['orchestrate.ticks-seen'],
  mail: [
    'orchestrate.alert-written',
    'engine.finished',
    'engine.outbox-claimed',
    'notify.sent',
    'engine.outbox-delivered',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** The points at which no suite of this folder kills, and what is known of them. */
export const OTHER_POINTS: Readonly<Record<string, string>> = {
  'upkeep.orphan-removed': 'killed there by src/lakehouse/maintain/crashes.test.ts',
  'warehouse.metadata-written': 'test/conformance/iceberg/places.test.ts lets the call end there',
  'warehouse.before-swap': 'test/conformance/iceberg/places.test.ts lets the call end there',
  'warehouse.swapped': 'test/conformance/iceberg/places.test.ts lets the call end there',
  'iceberg.old-metadata-removed': 'not tried: the table is committed, and nothing names the removed file',
  'iceberg.staged-forgotten': 'not tried: the files that stay are swept by upkeep, as those of any attempt that died',
  'iceberg.staged-removed': 'not tried: all is done',
  'orchestrate.definition-written': 'not tried: inside of one transaction, which a kill rolls back',
  'orchestrate.definition-deleted': 'not tried: a message of the same transaction ends the jobs that are left',
};

const killed = new Set<string>();

/** A process was killed at this point (`name` or `name:n`). */
export function noteKill(point: string): void {
  killed.add(point.split(':')[0]!);
}

/** The last test of a suite: it has killed at all points that are listed for it. */
export function testKills(suite: keyof typeof POINTS): void {
  test(`${suite} kills at every point that is listed for it`, () => {
    const missing = POINTS[suite].filter((point) => !killed.has(point));
    assert.deepEqual(missing, [], 'points at which nothing was killed');
  });
}
