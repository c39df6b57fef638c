/** A process that dies at a point of the engine: `points-worker.ts DATABASE_URL POINT KEY…`. Starts the runs and works. */
import { createWorld } from '../../../src/world.ts';
import { chaosPlan, openChaosEngine } from './chaos-engine.ts';

const [, , url, stopAt, ...keys] = process.argv;
const { engine } = await openChaosEngine(url!, { world: createWorld({ stopAt: stopAt! }), leaseSeconds: 2 });
await engine.startWorker();
for (const key of keys) await engine.start(chaosPlan(key));
// The test has died without killing us.
process.on('disconnect', () => process.exit(1));
