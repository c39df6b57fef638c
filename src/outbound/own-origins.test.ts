import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listOwnOrigins } from './own-origins.ts';

it('this server is known by its public origin and by where it listens', () => {
  const config = { publicUrl: 'https://flows.tern.example/base/', host: '10.1.2.3' };
  assert.deepEqual(listOwnOrigins(config, 8080), [
    'https://flows.tern.example',
    'http://10.1.2.3:8080',
    'http://127.0.0.1:8080',
    'http://localhost:8080',
    'http://[::1]:8080',
  ]);
  assert.deepEqual(listOwnOrigins(config, undefined), ['https://flows.tern.example']);
  const local = listOwnOrigins({ publicUrl: null, host: '127.0.0.1' }, 80);
  assert.deepEqual(local, ['http://127.0.0.1', 'http://localhost', 'http://[::1]']);
});
