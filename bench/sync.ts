import type { Figure, Scale } from './figures.ts';
import { NotThere } from './sync/jobs.ts';
import { loadCases } from './sync/loads.ts';
import { measureMariadbChanges, measureMariadbLoad } from './sync/mariadb.ts';
import { measurePeers } from './sync/peers.ts';
import { measureBacklog } from './sync/postgres-changes.ts';
import { measureContinuous } from './sync/continuous.ts';
import { openStage, type Stage } from './sync/stage.ts';

interface SyncCase {
  readonly name: string;
  /** Left out of the smoke run: it needs more than PostgreSQL, or lasts. */
  readonly heavy?: true;
  measure(stage: Stage, scale: Scale): Promise<readonly Figure[]>;
}

const cases: readonly SyncCase[] = [
  ...loadCases,
  { name: 'peers', measure: measurePeers },
  { name: 'postgres-changes', measure: measureBacklog },
  { name: 'continuous', measure: measureContinuous },
  { name: 'mariadb-load', heavy: true, measure: measureMariadbLoad },
  { name: 'mariadb-changes', heavy: true, measure: measureMariadbChanges },
];

/** What the data plane moves, through the API of a real server: each case against a floor of the same run. */
export async function measure(scale: Scale): Promise<readonly Figure[]> {
  const chosen = cases.filter(
    ({ name, heavy }) => name.includes(scale.only ?? '') && !(heavy && scale.smoke && scale.only === undefined),
  );
  const figures: Figure[] = [];
  const stage = await openStage();
  try {
    for (const one of chosen) {
      console.log(`-- ${one.name}`);
      try {
        figures.push(...(await one.measure(stage, scale)));
      } catch (error) {
        if (!(error instanceof NotThere)) throw error;
        console.log(`(left out: ${error.message})`);
      }
    }
  } finally {
    await stage.close();
  }
  return figures;
}
