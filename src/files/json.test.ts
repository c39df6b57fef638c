import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readContent } from './files.test-support.ts';

describe('a JSON file', () => {
  it('keeps every digit of numbers, and nested values as their text', async (test) => {
    const content = [
      '{"id":9007199254740993,"max":9223372036854775807,"over":9223372036854775808,"d":0.1,"e":-1.5E+3,"exact":1.00000000000000000001}',
      '{"id":-1,"max":1,"over":1,"d":2,"e":0,"exact":1,"list":[1, 12345678901234567890, {"a" : "x y" }],"o":{ "k":[ ] }}',
    ].join('\n');
    const { types, rows } = await readContent(test, { name: 'a.jsonl', content });
    assert.deepEqual(types, {
      id: 'long',
      max: 'long',
      over: 'string',
      d: 'double',
      e: 'double',
      exact: 'string',
      list: 'string',
      o: 'string',
    });
    assert.deepEqual(rows, [
      [
        '9007199254740993',
        '9223372036854775807',
        '9223372036854775808',
        '0.1',
        '-1500',
        '1.00000000000000000001',
        null,
        null,
      ],
      ['-1', '1', '1', '2', '0', '1', '[1,12345678901234567890,{"a":"x y"}]', '{"k":[]}'],
    ]);
  });

  it('tells texts from numbers, finds times in texts, and reads escapes', async (test) => {
    const content = String.raw`{"t":"123","at":"2020-01-01T00:00:00Z","b":true,"s":"q\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é😀","k\u0065y":1}
{"t":"x","at":null,"b":false,"s":"","key":2}`;
    const { types, rows } = await readContent(test, { name: 'a.ndjson', content });
    assert.deepEqual(types, { t: 'string', at: 'timestamp', b: 'boolean', s: 'string', key: 'long' });
    assert.deepEqual(rows, [
      ['123', '2020-01-01T00:00:00.000000Z', 'true', 'q"\\/\b\f\n\r\té😀 é😀', '1'],
      ['x', null, 'false', '', '2'],
    ]);
  });

  it('is read alike as lines, as objects one after the other, and as an array', async (test) => {
    const objects = Array.from({ length: 3000 }, (_, id) => ({
      id,
      text: `a "}{][" ${'é'.repeat(id % 60)}`,
      o: { a: [id] },
    }));
    const forms = [
      objects.map((object) => JSON.stringify(object)).join('\r\n'),
      `\ufeff${objects.map((object) => JSON.stringify(object, null, 2)).join('\n')}\n`,
      JSON.stringify(objects),
      `  \n${JSON.stringify(objects, null, '\t')}\n`,
    ];
    for (const content of forms) {
      const { rows, refused } = await readContent(test, { name: 'a.json', content });
      assert.deepEqual(refused, []);
      assert.deepEqual(
        rows,
        objects.map(({ id, text, o }) => [String(id), text, JSON.stringify(o)]),
      );
    }
  });

  it('takes the last of repeated keys, keys in any order, and makes no column of nulls', async (test) => {
    const content = '{"a":1,"b":2,"a":3,"nothing":null}\n{"b":4,"a":5}\n{"a":6,"b":7,"b":null}\n{}\n';
    const { types, rows } = await readContent(test, { name: 'a.jsonl', content });
    assert.deepEqual(types, { a: 'long', b: 'long' });
    assert.deepEqual(rows, [
      ['3', '2'],
      ['5', '4'],
      ['6', null],
      [null, null],
    ]);
  });

  it('refuses lines that are no object, each with its place, and goes on', async (test) => {
    const wrong = [
      '[1]',
      '7',
      'nope',
      '{"a":01}',
      '{"a":1,}',
      '{"a" 1}',
      '{"a":"x',
      '{"a":1} 2',
      '{"a":tru}',
      '{"a":"\t"}',
      String.raw`{"a":"\x"}`,
      '{"a":1.}',
      '{"a":-}',
      "{'a':1}",
      '{"a":[1,]}',
      '{"a":{"b"}}',
      String.raw`{"a":"\u12g4"}`,
    ];
    const content = ['{"a":1}', ...wrong, '', '{"a":2}'].join('\n');
    const { rows, refused } = await readContent(test, { name: 'a.jsonl', content });
    assert.deepEqual(rows, [['1'], ['2']]);
    assert.deepEqual(
      refused.map(({ key }) => Number(key.split(':').at(-1))),
      wrong.map((_, at) => at + 2),
    );
    assert.match(refused[3]!.reason, /no JSON object: a comma is expected \(byte 7\)/);
  });

  it('whose array is broken ends the read', async (test) => {
    for (const content of ['[{"a":1}', '[{"a":1} x]', '[{"a":1}] {"a":2}', '[{"a":1}, 5]', '[{"a":1},{"a":']) {
      await assert.rejects(
        readContent(test, { name: 'a.json', content }),
        { kind: 'value_refused', message: /a\.json/ },
        content,
      );
    }
  });

  it('of deeply nested values is refused rather than followed', async (test) => {
    const deep = `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    const { rows, refused } = await readContent(test, { name: 'a.jsonl', content: `{"a":1}\n${deep}\n` });
    assert.equal(rows.length, 1);
    assert.match(refused[0]!.reason, /nested deeper than/);
  });

  it('may be one object without a line break, or one record of many pieces', async (test) => {
    assert.deepEqual((await readContent(test, { name: 'a.json', content: '{"a":1}' })).rows, [['1']]);
    const long = 'x'.repeat(3_000_000);
    for (const content of [`{"a":"${long}"}`, `{"a":"${long}"}\n{"a":"b"}\n`, `[{"a":"${long}"}]`]) {
      const { rows } = await readContent(test, { name: 'a.json', content });
      assert.equal(rows[0]![0]!.length, long.length);
    }
  });

  it('may hold keys that objects know by themselves', async (test) => {
    const content = '{"__proto__":1,"constructor":2,"toString":3}\n';
    const { rows } = await readContent(test, { name: 'a.jsonl', content });
    assert.deepEqual(rows, [['1', '2', '3']]);
  });
});
