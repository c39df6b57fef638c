import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readForm, readObjectForm, showForm } from './form.ts';
import { parseJson } from './json.ts';
import { checkState, forgetStreams } from './state.ts';

describe('JSON text of clients', () => {
  it('keeps every number as it was written', () => {
    const text =
      '{"a":9223372036854775807,"b":-12345678901234567890,"c":0.12345678901234567890,"d":1e400,"e":42,"f":1.5}';
    assert.equal(JSON.stringify(parseJson(text, 'x')), text);
  });

  it('is refused when it is broken, too deep, or holds what cannot be stored', () => {
    const deep = `${'['.repeat(500)}${']'.repeat(500)}`;
    for (const text of ['{', '', 'x', deep, String.raw`["\u0000"]`, String.raw`{"\ud800":1}`, '["\ud800"]']) {
      assert.throws(() => parseJson(text, 'x'), { kind: 'bad_request' });
    }
    assert.deepEqual(parseJson(String.raw`["\\u0000", "\ud83d\ude00"]`, 'x'), [String.raw`\u0000`, '😀']);
  });

  it('comes back in the form in which it was sent, or in the one asked for', () => {
    const sent = ' {"b": 1,  "a": 2}';
    const text = readObjectForm(sent, 'config');
    assert.equal(showForm(text), sent);
    assert.deepEqual(showForm(text, 'object'), { b: 1, a: 2 });
    const object = readForm([1, { a: 2 }], 'streams_config');
    assert.deepEqual(showForm(object), [1, { a: 2 }]);
    assert.equal(showForm(object, 'string'), '[1,{"a":2}]');
    for (const bad of [5, true, null, '', '5', 'null', '"x"', undefined]) {
      assert.throws(() => readForm(bad, 'x'), { kind: 'bad_request' });
    }
  });
});

describe('state files', () => {
  it('are accepted empty or in the shape of the contract', () => {
    checkState({});
    checkState({
      type: 'STREAM',
      version: 7,
      streams: [{ stream: 't', namespace: 'n', sync_mode: '', state: { id: 1 } }],
    });
    checkState({ type: 'GLOBAL', global: { state: { lsn: '0/1' }, streams: ['n.t'] }, streams: null });
    for (const bad of [[], { type: 'x' }, { streams: [] }, { type: 'STREAM', streams: [{ stream: 't' }] }]) {
      assert.throws(() => checkState(bad), { kind: 'bad_request' });
    }
  });

  it('forget the streams that are cleared and keep the others', () => {
    const entry = (stream: string) => ({ stream, namespace: 'n', sync_mode: '', state: {} });
    const state = {
      type: 'MIXED',
      global: { state: {}, streams: ['n.a', 'n.b'] },
      streams: [entry('a'), entry('b')],
    } as const;
    const left = forgetStreams(state, ['n.a']);
    assert.deepEqual(left.streams, [entry('b')]);
    assert.deepEqual(left.global?.streams, ['n.b']);
    assert.deepEqual(forgetStreams({ type: 'STREAM', streams: [entry('a')] }, ['n.a']), {});
  });
});
