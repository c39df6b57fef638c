import assert from 'node:assert/strict';
import { it } from 'node:test';
import { translateNumber } from './failures.ts';

const place = { host: 'db', port: 3306, database: 'shop', username: 'ana' };

it('a server without the function md5 is told with the statement that brings it', () => {
  const failure = translateNumber(1305, 'FUNCTION shop.md5 does not exist', place);
  assert.equal(failure.kind, 'configuration_invalid');
  assert.match(failure.message, /db:3306 has no function md5.*install component 'file:\/\/component_classic_hashing'/);
});
