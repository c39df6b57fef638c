/** A server that runs one container and can be killed: tells each memo of its attempt as a line, then waits for its end. */
import { component } from '../../../src/components/container-run/index.ts';
import { createTestCall } from '../../../src/components/kit/attempt.test-support.ts';
import type { ComponentPorts, Parameters } from '../../../src/components/kit/index.ts';
import { readConfig } from '../../../src/config.ts';

const { settings, parameters, task } = JSON.parse(process.argv[2]!) as {
  settings: Record<string, string>;
  parameters: Parameters;
  task: string;
};
const { call } = createTestCall(parameters, { task });
const remember = async (memo: unknown): Promise<void> => void process.stdout.write(`${JSON.stringify(memo)}\n`);
const spec = component({ config: readConfig(settings) } as ComponentPorts);
await spec.execute({ ...call, attempt: { ...call.attempt, remember } });
