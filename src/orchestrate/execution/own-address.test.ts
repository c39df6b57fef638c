import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readOwnAddress } from './own-address.ts';

const origins = ['http://127.0.0.1:8080', 'https://penstock.tern.example'];
const own = { origins, publicUrl: null };

describe('our own address', () => {
  it('starts what can be started over HTTP, at both mounts', () => {
    const read = (path: string) => readOwnAddress(`${origins[0]}${path}`, own);
    assert.deepEqual(read('/run'), { kind: 'run' });
    assert.deepEqual(read('//orchestrator//run/'), { kind: 'run' });
    assert.deepEqual(read('/orchestrations/7/trigger'), { kind: 'job', orchestrationId: 7, isTrigger: true });
    assert.deepEqual(read('/orchestrator/orchestrations/7/jobs'), {
      kind: 'job',
      orchestrationId: 7,
      isTrigger: false,
    });
    assert.deepEqual(read('/docker/http.call/run/tag/1.2'), {
      kind: 'component',
      component: 'http.call',
      envelope: true,
    });
  });

  it('has the path of the public address before ours, there only', () => {
    const based = { origins, publicUrl: `${origins[1]}/flows/` };
    for (const path of ['/flows/run', '/flows//orchestrator/run', '/run']) {
      assert.deepEqual(readOwnAddress(`${origins[1]}${path}`, based), { kind: 'run' }, path);
    }
    for (const address of [`${origins[1]}/flowsrun`, `${origins[1]}/other/run`, `${origins[0]}/flows/run`]) {
      assert.throws(() => readOwnAddress(address, based), { kind: 'configuration_invalid' }, address);
    }
  });

  it('is known by its origin alone', () => {
    assert.equal(readOwnAddress('http://127.0.0.1:8081/run', own), undefined);
    assert.equal(readOwnAddress('https://penstock.tern.example.evil.example/run', own), undefined);
    assert.equal(readOwnAddress('https://other.example/run', own), undefined);
  });

  it('starts nothing anywhere else', () => {
    for (const path of ['/', '/v2/storage/tokens', '/orchestrations', '/jobs/1', '/queue/jobs/1/kill', '/login']) {
      assert.throws(() => readOwnAddress(`${origins[1]}${path}`, own), { kind: 'configuration_invalid' }, path);
    }
  });
});
