import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloudEnvironment, closeCloudKeys, readConfig, runtimeEnvironment } from './config.ts';

const ENVIRONMENT = { AWS_ACCESS_KEY_ID: 'AKID', AWS_PROFILE: 'work', HOME: '/home/x', DATABASE_PASSWORD: 'hunter2' };

test('on loopback a connection without keys may use those of the server, and sees nothing else of the environment', () => {
  const config = readConfig({});
  const seen = cloudEnvironment(config, ENVIRONMENT);
  assert.deepEqual(seen, { AWS_ACCESS_KEY_ID: 'AKID', AWS_PROFILE: 'work', HOME: '/home/x' });
});

test('beyond loopback the credentials of the server are its own, unless a setting says otherwise', () => {
  const closed = readConfig({ PENSTOCK_HOST: '0.0.0.0' });
  assert.equal(cloudEnvironment(closed, ENVIRONMENT)['AWS_EC2_METADATA_DISABLED'], 'true');
  assert.equal(cloudEnvironment(closed, ENVIRONMENT)['AWS_ACCESS_KEY_ID'], undefined);
  const own: NodeJS.ProcessEnv = { ...ENVIRONMENT };
  closeCloudKeys(closed, own);
  assert.equal(own['AWS_ACCESS_KEY_ID'], undefined);
  assert.equal(own['AWS_SHARED_CREDENTIALS_FILE'], '/dev/null');
  const open = readConfig({ PENSTOCK_HOST: '0.0.0.0', PENSTOCK_SERVER_KEYS: 'allow' });
  assert.equal(cloudEnvironment(open, ENVIRONMENT)['AWS_ACCESS_KEY_ID'], 'AKID');
});

test('the program that runs containers sees where its daemon and its logins are, and no secrets of the server', () => {
  const own = {
    HOME: '/home/x',
    DOCKER_HOST: 'unix:///run/user/1/docker.sock',
    XDG_RUNTIME_DIR: '/run/user/1',
    no_proxy: 'a',
  };
  assert.deepEqual(runtimeEnvironment({ ...ENVIRONMENT, ...own, PENSTOCK_SECRET_KEY: 'x' }), own);
});

test('faces that are never open to callers without a credential cannot be opened', () => {
  assert.deepEqual(readConfig({ PENSTOCK_AUTH_OPEN_FACES: 'odm, vela' }).authOpenFaces, ['odm', 'vela']);
  for (const face of ['olake', 'keboola']) {
    const opened = { PENSTOCK_AUTH_OPEN_FACES: `vela,${face}` };
    assert.throws(() => readConfig(opened), new RegExp(`the ${face} face is never open`));
  }
});
