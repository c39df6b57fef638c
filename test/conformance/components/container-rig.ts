import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { component } from '../../../src/components/container-run/index.ts';
import {
  createTestCall,
  type TestCall,
  type TestCallOptions,
} from '../../../src/components/kit/attempt.test-support.ts';
import type { ComponentPorts, ComponentSpec, Parameters, ProcessEnd } from '../../../src/components/kit/index.ts';
import { readConfig } from '../../../src/config.ts';
import type { TestRuntime } from '../../support/container-runtime.ts';
import type { ImageRegistry } from './image-registry.ts';

export interface ContainerRig {
  readonly runtime: TestRuntime;
  readonly registry: ImageRegistry;
  readonly dataDir: string;
  /** Images that are allowed besides the runtime's: one of the registry, one where nobody listens. */
  readonly images: { readonly offered: string; readonly nowhere: string };
  /** `PENSTOCK_*` of a server with this runtime. */
  readonly settings: Readonly<Record<string, string>>;
  /** The component with another program that runs containers. */
  build(program: string): ComponentSpec;
  /** What follows names the runtime's image unless told. */
  call(parameters: Parameters, options?: TestCallOptions): TestCall;
  begin(parameters: Parameters, options?: TestCallOptions): TestCall & { readonly ending: Promise<ProcessEnd> };
  run(parameters: Parameters, options?: TestCallOptions): Promise<ProcessEnd>;
  sh(text: string, more?: Parameters): Promise<ProcessEnd>;
  close(): Promise<void>;
}

export function createContainerRig(runtime: TestRuntime, registry: ImageRegistry): ContainerRig {
  const dataDir = mkdtempSync(join(tmpdir(), 'penstock-container-'));
  const { image, program } = runtime;
  const images = { offered: `${registry.address}/penstock/offered:1`, nowhere: '127.0.0.1:9/nobody/listens:1' };
  const settings = {
    PENSTOCK_DATA_DIR: dataDir,
    PENSTOCK_CONTAINER_IMAGES: [image, ...Object.values(images)].join(','),
    PENSTOCK_CONTAINER_PROGRAM: program,
  };
  const build = (other: string): ComponentSpec =>
    component({ config: readConfig({ ...settings, PENSTOCK_CONTAINER_PROGRAM: other }) } as ComponentPorts);
  const spec = build(program);
  const call = (parameters: Parameters, options?: TestCallOptions): TestCall =>
    createTestCall({ image, ...parameters }, options);
  const begin: ContainerRig['begin'] = (parameters, options) => {
    const made = call(parameters, options);
    return { ...made, ending: spec.execute(made.call) as Promise<ProcessEnd> };
  };
  return {
    runtime,
    registry,
    dataDir,
    images,
    settings,
    build,
    call,
    begin,
    run: (parameters, options) => begin(parameters, options).ending,
    sh: (text, more) => begin({ command: 'sh', args: ['-c', text], ...more }).ending,
    async close() {
      registry.close();
      await runtime.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Waits until a condition is met, at most a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition was not met in time');
    await delay(20);
  }
}
