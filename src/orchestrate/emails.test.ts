import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmail } from './emails.ts';

test('one mail address is known from what is none, in little time', () => {
  const good = ['a@b', 'ops@tern.example', "o'hara+x@tern.co.example", 'penstock@localhost', '_.-%@1.example', 'A@B.C'];
  for (const text of good) assert.equal(isEmail(text), true, text);
  const bad = [
    '',
    '@',
    'a@',
    '@b',
    'a',
    'a b@c',
    'a@b c',
    'a@b,c@d',
    '<a@b>',
    'Kim <kim@b>',
    'a@b\n',
    'a\r\n@b',
    'a;b@c',
  ];
  bad.push(
    '.a@b',
    'a.@b',
    'a..b@c',
    'a@.b',
    'a@b.',
    'a@b..c',
    'a@-b',
    'a@b-',
    'a@b_c',
    'é@b',
    'a@é',
    '"a"@b',
    'a@[1.2.3.4]',
  );
  bad.push(`${'a'.repeat(65)}@b`, `a@${'b'.repeat(64)}`, `a@${'b.'.repeat(130)}c`, 'a\u0000@b', 'mailto:a@b', 'a@b@c');
  for (const text of bad) assert.equal(isEmail(text), false, text);
  const started = performance.now();
  for (const text of ['a@'.repeat(500_000), `a@${'-'.repeat(1_000_000)}`, `${'.'.repeat(1_000_000)}@b`]) isEmail(text);
  assert.ok(performance.now() - started < 1000);
});
