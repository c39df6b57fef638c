/** A worker process of the tests of shared loads: `share-worker.ts OPTIONS_AS_JSON`. Runs until it is killed. */
import { openShareEngine } from './share-engine.ts';
import type { ShareEngineOptions } from './share-engine.ts';

const { engine } = await openShareEngine(JSON.parse(process.argv[2]!) as ShareEngineOptions);
await engine.startWorker();
process.send?.('ready');
// The test has died without killing us.
process.on('disconnect', () => process.exit(1));
