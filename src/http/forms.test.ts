import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../errors.ts';
import { parseForm } from './forms.ts';

describe('forms', () => {
  it('are texts by name, and objects where names have brackets', () => {
    const text =
      'description=two+words%21&flag=1&map%5Bin.c-main%5D=read&map[b]=write&list[]=x&list[]=y&pair[0]=p&empty=';
    assert.deepEqual(parseForm(text), {
      description: 'two words!',
      flag: '1',
      map: { 'in.c-main': 'read', b: 'write' },
      list: { 0: 'x', 1: 'y' },
      pair: { 0: 'p' },
      empty: '',
    });
    assert.deepEqual(parseForm(''), {});
    assert.deepEqual(parseForm('a=1&a=2'), { a: '2' });
  });

  it('change no prototypes', () => {
    const form = parseForm('__proto__=1&__proto__[x]=1&a[__proto__]=1&constructor[prototype]=1');
    assert.deepEqual(Object.keys(form), ['a', 'constructor']);
    assert.equal(Object.getPrototypeOf(form), Object.prototype);
    assert.deepEqual(form['a'], {});
  });

  it('hold no NUL and a thousand fields at most', () => {
    const isRefused = (text: string) =>
      assert.throws(
        () => parseForm(text),
        (failure: Failure) => failure.kind === 'bad_request',
      );
    isRefused('a=%00');
    isRefused('a%00=1');
    isRefused('a=1&'.repeat(1001));
    assert.equal(Object.keys(parseForm('a=1&'.repeat(1000))).length, 1);
  });
});
