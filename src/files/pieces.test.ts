import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCsv } from './csv.ts';
import { readJson } from './json.ts';
import { createScanner } from './json-scan.ts';
import type { RecordTaker } from './rows.ts';

/** Keeps records as objects. */
function keepRecords(): RecordTaker & { readonly records: Record<string, string>[]; readonly refused: number[] } {
  const names: string[] = [];
  const records: Record<string, string>[] = [];
  const refused: number[] = [];
  const texts: (string | null)[] = [];
  return {
    records,
    refused,
    texts,
    spellings: [],
    knows: (name) => names.includes(name),
    slotOf(name) {
      const known = names.indexOf(name);
      return known >= 0 ? known : names.push(name) - 1;
    },
    take() {
      const record: Record<string, string> = {};
      names.forEach((name, slot) => {
        if (texts[slot] != null) record[name] = texts[slot];
      });
      records.push(record);
      texts.fill(null);
      return true;
    },
    refuse: (_reason, line) => refused.push(line) > 0,
  };
}

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

describe('what a file holds does not depend on the pieces it comes in', () => {
  const csv = '\ufeffid,"näme"\r\n1,"a ""q"" 😀\r\nb"\r\n\r\n2,é\r\n3\r\n4,"x,y"';
  const settings = { delimiter: undefined, hasHeader: true, skipRows: 0, quote: '"' };
  const jsons = [
    '\ufeff{"id":1,"n":"é😀\\n"}\r\n\n nope \n{"id":12345678901234567890,"o":{"a":[1, "]}"]}}',
    ' [ {"id":1,"n":"\\"}"} ,\n{"id":2,"o":[{}, {"k":"é"}]}]\n',
    '{\n "id": 1\n}\n{"id":2,\n"n":"[{"}',
  ];
  for (const size of [1, 2, 3, 5, 7, 64]) {
    it(`of ${size} bytes`, async () => {
      const whole = keepRecords();
      await readCsv(cut(csv, 10_000), { location: 'a.csv', settings }, whole);
      assert.equal(whole.records.length, 3);
      const parts = keepRecords();
      await readCsv(cut(csv, size), { location: 'a.csv', settings }, parts);
      assert.deepEqual([parts.records, parts.refused], [whole.records, whole.refused]);
      for (const json of jsons) {
        const all = keepRecords();
        await readJson(cut(json, 10_000), { location: 'a.json', lineDelimited: undefined }, all);
        assert.equal(all.records.length, 2);
        const some = keepRecords();
        await readJson(cut(json, size), { location: 'a.json', lineDelimited: undefined }, some);
        assert.deepEqual([some.records, some.refused], [all.records, all.refused]);
      }
    });
  }
});

describe('the JSON reader', () => {
  it('takes and refuses the same altered objects as the runtime does', () => {
    const seed = '{"a":"x\\u00e9\\n","b":[1,-2.5e+3,{"c":null,"d":[]}],"e":true,"f":0.10, "g":{"h":"é"}}';
    const alphabet = [
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '1',
      '-',
      '.',
      'e',
      't',
      'n',
      ' ',
      '\t',
      'u',
      'é',
      '\u0001',
    ];
    let state = 1;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % limit;
    };
    let valid = 0;
    for (let round = 0; round < 20_000; round++) {
      const letters = [...seed];
      for (let edits = 1 + below(2); edits > 0; edits--) {
        letters.splice(below(letters.length), below(2), ...(below(2) ? [alphabet[below(alphabet.length)]!] : []));
      }
      const text = letters.join('');
      const bytes = Buffer.from(text);
      const taker = keepRecords();
      let taken = true;
      try {
        createScanner(taker)(bytes, 0, bytes.length);
        taker.take(1);
      } catch {
        taken = false;
      }
      assert.equal(taken, isObject(text), text);
      if (!taken) continue;
      valid++;
      const expected = JSON.parse(text) as Record<string, unknown>;
      for (const [name, value] of Object.entries(taker.records[0]!)) {
        const wanted = expected[name];
        if (typeof wanted === 'string') assert.equal(value, wanted, text);
        else assert.deepEqual(JSON.parse(value), wanted, text);
      }
    }
    assert.ok(valid > 100);
  });
});

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
