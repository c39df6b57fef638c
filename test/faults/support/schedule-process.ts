/**
 * A process that ticks the schedules of the fault test: `schedule-process.ts DATABASE_URL DATA_DIR ROLE`. With the role
 * `works` it works on the jobs, too; with `dies` it kills itself each time before it commits what it has made of ticks.
 */
import { readConfig } from '../../../src/config.ts';
import { connectStore } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';
import { openOrchestrate } from '../../support/orchestrate-room.ts';

/** The room orchestrate on a database, with a scheduler; nothing works or ticks yet. */
export async function openScheduleRooms(url: string, dataDir: string, stopAt?: string) {
  const world = createWorld(stopAt === undefined ? {} : { stopAt });
  const config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_ADMIN_PASSWORD: 'x' });
  const store = await connectStore({ url, world });
  return { store, ...(await openOrchestrate({ store, config, world })) };
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
