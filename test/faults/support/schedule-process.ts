/**
 * A process that ticks the schedules of the fault test: `schedule-process.ts DATABASE_URL DATA_DIR ROLE`. With the role
 * `works` it works on the jobs, too; with `dies` it kills itself each time before it commits what it has made of ticks.
 */
import { createAccess } from '../../../src/access/index.ts';
import { readConfig } from '../../../src/config.ts';
import { createEngine, type Component, type Deliverer, type RunObserver } from '../../../src/engine/index.ts';
import { createOrchestrate, orchestrationSchedules, type Orchestrate } from '../../../src/orchestrate/index.ts';
import { createScheduler } from '../../../src/schedule/index.ts';
import { connectStore } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';

/** The room orchestrate on a database, with a scheduler; nothing works or ticks yet. */
export async function openScheduleRooms(url: string, dataDir: string, stopAt?: string) {
  const world = createWorld(stopAt === undefined ? {} : { stopAt });
  const config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_ADMIN_PASSWORD: 'x' });
  const store = await connectStore({ url, world });
  const access = await createAccess({ store, config, world });
  const components: Component[] = [];
  const observers: RunObserver[] = [];
  const deliverers: Record<string, Deliverer> = {};
  const settings = { slots: 8, leaseSeconds: 10 };
  const engine = await createEngine({ store, world, components, observers, deliverers, settings });
  const kind = orchestrationSchedules((tx, ticks) => orchestrate.schedules.fireAll(tx, ticks));
  const scheduler = createScheduler({ store, onFire: { orchestration: kind }, catchUpMinutes: 60 });
  const orchestrate: Orchestrate = createOrchestrate({
    config,
    world,
    store,
    engine,
    scheduler,
    tokens: access.tokens,
    secrets: access.secrets,
    audit: access.audit,
    outbound: {
      checkUrl: (text) => text,
      trustOf: () => 'allowed',
      request: () => Promise.reject(new Error('nobody is called here')),
    },
    components: [],
    messages: { send: async () => undefined, countOfCause: async () => 0 },
    ownOrigins: () => [],
    version: 'test',
  });
  components.push(...orchestrate.engineComponents);
  observers.push(...orchestrate.observers);
  Object.assign(deliverers, orchestrate.deliverers);
  return { config, store, access, engine, scheduler, orchestrate };
}

if (import.meta.main) {
  const [url, dataDir, role] = process.argv.slice(2);
  const stopAt = role === 'dies' ? 'orchestrate.ticks-seen' : undefined;
  const { engine, scheduler } = await openScheduleRooms(url!, dataDir!, stopAt).catch(() => process.exit(1));
  if (role === 'works') await engine.startWorker();
  scheduler.start();
  // The test has died without killing us.
  process.on('disconnect', () => process.exit(1));
}
