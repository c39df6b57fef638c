/** A worker process of the chaos test: `chaos-worker.ts DATABASE_URL`. Runs until it is killed. */
import { openChaosEngine } from './chaos-engine.ts';

// The database may be down at the moment: the test starts us again.
const { engine } = await openChaosEngine(process.argv[2]!).catch(() => process.exit(1));
await engine.startWorker();
process.send?.('ready');
// The test has died without killing us.
process.on('disconnect', () => process.exit(1));
