import { createEngine } from '../../../src/engine/index.ts';
import type { OpenEngine } from '../../../src/engine/index.ts';
import { connectStore } from '../../../src/store/index.ts';
import type { Store } from '../../../src/store/index.ts';
import {
  createReadComponent,
  createRunObservers,
  createSyncComponent,
  loadState,
  saveState,
} from '../../../src/sync/index.ts';
import type { SyncPorts } from '../../../src/sync/index.ts';
import { catalogIn } from '../../../src/warehouse/index.ts';
import { createWorld } from '../../../src/world.ts';

export interface ShareEngineOptions {
  readonly url: string;
  readonly dataDir: string;
  readonly slots: number;
  readonly sharing: NonNullable<SyncPorts['sharing']>;
  /** The point at which the first attempt of a task dies; asked when the attempt begins. */
  readonly stopAt?: () => string | null;
  readonly onPoint?: (point: string) => void;
}

/** Store and engine of a process that syncs, as the platform puts them together, with loads that are shared soon. */
export async function openShareEngine(
  options: ShareEngineOptions,
): Promise<{ readonly store: Store; readonly engine: OpenEngine }> {
  const { dataDir, sharing, onPoint, stopAt = () => null } = options;
  const world = createWorld();
  const store = await connectStore({ url: options.url, world });
  const ports: SyncPorts = {
    world,
    secrets: { open: (sealed) => sealed },
    jobState: { loadState, saveState },
    catalogIn,
    config: {
      dataDir,
      fileRoots: null,
      serverKeys: 'allow',
      host: '127.0.0.1',
      get testStopAt() {
        return stopAt();
      },
    },
    sharing,
    ...(onPoint ? { onPoint } : {}),
  };
  const engine: OpenEngine = await createEngine({
    store,
    world,
    components: [createSyncComponent(ports), createReadComponent(ports)],
    observers: createRunObservers((tx, message) => engine.publish(tx, message)),
    deliverers: {},
    settings: { slots: options.slots, leaseSeconds: 2 },
  });
  return { store, engine };
}
