import type { LabOptions } from '../../../src/orchestrate/lab.test-support.ts';
import { createMailLab } from './mail-lab.ts';

/** Executes jobs and sends mails on the database of another process until it reaches the point at which it kills itself. */
const options = JSON.parse(process.argv[2] ?? '{}') as LabOptions;
const lab = await createMailLab({ ...options, works: false });
await lab.restart();
