import { createOutbound } from '../../../src/outbound/index.ts';
import { createLab, type LabOptions } from '../../../src/orchestrate/lab.test-support.ts';
import { createComponentCaller } from '../../../src/orchestrate/protocol/call.ts';

/** Executes jobs on the database of another process until it reaches the point at which it kills itself. */
const options = JSON.parse(process.argv[2] ?? '{}') as LabOptions;
const lab = await createLab({ ...options, works: false, outbound: (config) => createOutbound({ config }) });
lab.elsewhere = createComponentCaller(lab.rooms);
await lab.restart();
