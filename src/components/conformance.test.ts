import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../config.ts';
import { createOutbound } from '../outbound/index.ts';
import { createWorld } from '../world.ts';
import { loadComponents, type ComponentSpec } from './index.ts';
import { execute } from './kit/attempt.test-support.ts';
import { proveEnd, proveSpec, type EndCase } from './kit/conformance.ts';
import type { ComponentPorts } from './kit/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-components-'));
const dataDir = join(folder, 'data');
const runtime = join(folder, 'runtime');
let asked = 0;
const silent = createServer(() => asked++);
let specs: readonly ComponentSpec[];

before(async () => {
  mkdirSync(dataDir);
  writeFileSync(runtime, '#!/bin/sh\ncase $1 in run) ;; container) exit 1;; *) exit 0;; esac\necho begun\nsleep 600\n');
  chmodSync(runtime, 0o755);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const config = readConfig({
    PENSTOCK_DATA_DIR: dataDir,
    PENSTOCK_SHELL_PROGRAMS: '/bin/sh',
    PENSTOCK_CONTAINER_IMAGES: 'alpine:3',
    PENSTOCK_CONTAINER_PROGRAM: runtime,
    PENSTOCK_TRUSTED_COMPONENT_HOSTS: `127.0.0.1:${portOf()}`,
  });
  const ports: Partial<ComponentPorts> = {
    config,
    world: createWorld(),
    outbound: createOutbound({ config, ownOrigins: () => [] }),
    syncs: {
      start: async () => ({ outcome: 'started', runId: 'r_1', number: 1, path: '1' }),
      cancelAlike: async () => {},
    },
    lake: { open: async () => undefined },
  };
  specs = await loadComponents(ports as ComponentPorts);
});

after(() => {
  silent.close();
  silent.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

const portOf = (): number => (silent.address() as AddressInfo).port;
const isTold = (lines: readonly string[]): boolean => lines.length > 0;

/** How each component is brought to work without an end. A new one adds a line. */
const work: Readonly<Record<string, () => Omit<EndCase, 'folders'>>> = {
  'container.run': () => ({ parameters: { image: 'alpine:3' }, isAtWork: isTold }),
  'http.call': () => ({ parameters: { url: `http://127.0.0.1:${portOf()}/` }, isAtWork: () => asked > 0 }),
  'penstock.sync': () => ({ parameters: { jobId: 1 }, isAtWork: isTold }),
  'shell.run': () => ({
    parameters: { command: '/bin/sh', args: ['-c', 'echo begun; sleep 600'], env: { PATH: '/bin' } },
    isAtWork: isTold,
  }),
  'sql.transformation': () => {
    const begun = performance.now();
    const endless = 'select count(*) from range(100000000) a, range(1000000) b';
    return { parameters: { statements: [endless] }, isAtWork: () => performance.now() - begun > 1000 };
  },
};

describe('every built-in component', () => {
  it('is found by its folder, has an id of its own and can be brought to work by this suite', () => {
    const ids = specs.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)].toSorted());
    assert.deepEqual(ids, Object.keys(work).toSorted());
  });

  it('describes its parameters for forms and refuses those that it does not know', () => {
    for (const spec of specs) proveSpec(spec);
  });

  for (const [id, begin] of Object.entries(work)) {
    it(`ends soon when it is cancelled, and leaves nothing behind: ${id}`, async () => {
      const spec = specs.find((one) => one.id === id)!;
      // Its database stays; what a run has besides goes.
      if (id === 'sql.transformation') await execute(spec, { statements: ['select 1'] });
      await proveEnd(spec, { ...begin(), folders: [join(dataDir, 'work'), join(dataDir, 'sql')] });
    });
  }
});
