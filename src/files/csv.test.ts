import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keepAll, makeFolder, openFolder, readContent, readStream } from './files.test-support.ts';

describe('a csv file', () => {
  it('has types by its values, and exact ones where no type holds them', async (test) => {
    const content = `id,wide,big,zip,plus,price,ratio,long,flag,mixed,day,at,note,void
1,9007199254740993,9223372036854775808,01234,+1,1.5,1e3,0.1234567890123456789,true,1,2020-02-29,2020-01-01T01:02:03.123456789+02:00,x,
-2,-9223372036854775808,1,99999,2,2,.5,1,FALSE,true,0001-01-01,1969-12-31 23:59:59.999999,2020-02-30,
`;
    const { types, rows } = await readContent(test, { name: 'a.csv', content });
    assert.deepEqual(types, {
      id: 'long',
      wide: 'long',
      big: 'string',
      zip: 'string',
      plus: 'string',
      price: 'double',
      ratio: 'double',
      long: 'string',
      flag: 'boolean',
      mixed: 'long',
      day: 'timestamp',
      at: 'timestamp',
      note: 'string',
      void: 'string',
    });
    assert.deepEqual(rows, [
      // oxfmt-ignore
      ['1', '9007199254740993', '9223372036854775808', '01234', '+1', '1.5', '1000', '0.1234567890123456789', 'true', '1', '2020-02-29T00:00:00.000000Z', '2019-12-31T23:02:03.123456Z', 'x', null],
      // oxfmt-ignore
      ['-2', '-9223372036854775808', '1', '99999', '2', '2', '0.5', '1', 'false', '1', '0001-01-01T00:00:00.000000Z', '1969-12-31T23:59:59.999999Z', '2020-02-30', null],
    ]);
  });

  it('may have a mark, CRLF, quoted line breaks, doubled quotes, blank lines and no last line break', async (test) => {
    const content = '\ufeffa,"b ""x""",\r\n"1\r\n2","say ""hi""",é\r\n\r\n\r\n3,"a,b",';
    const { types, rows } = await readContent(test, { name: 'a.csv', content });
    assert.deepEqual(Object.keys(types), ['a', 'b "x"', 'column_3']);
    assert.deepEqual(rows, [
      ['1\r\n2', 'say "hi"', 'é'],
      ['3', 'a,b', null],
    ]);
  });

  it('may end its lines with CR alone', async (test) => {
    const { rows } = await readContent(test, { name: 'a.csv', content: 'a,b\r1,2\r3,4\r' });
    assert.deepEqual(rows, [
      ['1', '2'],
      ['3', '4'],
    ]);
  });

  it('names repeated and empty headers apart', async (test) => {
    const { types } = await readContent(test, { name: 'a.csv', content: 'a, a ,a_2,,a\n1,2,3,4,5\n' });
    assert.deepEqual(Object.keys(types), ['a', 'a_3', 'a_2', 'column_4', 'a_4']);
  });

  it('is read without a header, with lines to skip, another delimiter and quote', async (test) => {
    const csv = { delimiter: ';', quote_character: "'", has_header: false, skip_rows: 2 };
    const content = "made by us\n\n1;'a;b'\n2;c\n";
    const { types, rows } = await readContent(test, { name: 'a.csv', content }, { csv });
    assert.deepEqual(types, { column_1: 'long', column_2: 'string' });
    assert.deepEqual(rows, [
      ['1', 'a;b'],
      ['2', 'c'],
    ]);
  });

  it('that is called tsv has tabs, and quotes mean nothing where the setting is empty', async (test) => {
    const content = 'a\tb\n"x\t5" wide\n';
    const { rows } = await readContent(test, { name: 'a.tsv', content }, { csv: { quote_character: '' } });
    assert.deepEqual(rows, [['"x', '5" wide']]);
  });

  it('refuses records of another length with their place; empty fields beyond the header are none', async (test) => {
    const content = 'a,b\n1,2\n3\n4,5,,\n6,7,8\n9,10\n';
    const { rows, refused } = await readContent(test, { name: 'a.csv', content });
    assert.deepEqual(rows, [
      ['1', '2'],
      ['4', '5'],
      ['9', '10'],
    ]);
    assert.deepEqual(
      refused.map(({ reason, key }) => [reason, key.replace(/^.*\//, '')]),
      [
        ['the record has 1 fields, the header 2', 'a.csv:3'],
        ['the record has 3 fields, the header 2', 'a.csv:5'],
      ],
    );
  });

  it('refuses later values that do not fit the type of the sample, unless the user names the type', async (test) => {
    const content = 'id,n\n1,1\n2,2\n3,x\n4,007\n5,1.5\n6,9223372036854775808\n7,7\n';
    const sampled = { sample_rows: 2 };
    const { rows, refused } = await readContent(test, { name: 'a.csv', content }, sampled);
    assert.deepEqual(
      rows.map(([id]) => id),
      ['1', '2', '7'],
    );
    assert.deepEqual(
      refused.map(({ column, key, reason }) => [column, key.split(':').at(-1), reason]),
      [
        ['n', '4', '"x" is no 64-bit integer'],
        ['n', '5', '"007" is no 64-bit integer'],
        ['n', '6', '"1.5" is no 64-bit integer'],
        ['n', '7', '"9223372036854775808" is no 64-bit integer'],
      ],
    );
    const named = await readContent(test, { name: 'a.csv', content }, { ...sampled, column_types: { n: 'string' } });
    assert.deepEqual(named.rows.map(([, n]) => n).slice(2, 4), ['x', '007']);
    assert.deepEqual(named.refused, []);
  });

  it('with a broken quote ends the read and names the line', async (test) => {
    const inside = readContent(test, { name: 'a.csv', content: 'a,b\n1,2\n3,"x"y\n' });
    await assert.rejects(inside, { kind: 'value_refused', message: /a\.csv:3: after a closing quote/ });
    const open = readContent(test, { name: 'a.csv', content: 'a,b\n1,"2\n3,4\n' });
    await assert.rejects(open, { kind: 'value_refused', message: /a\.csv.*not closed/ });
  });

  it('that is not UTF-8 is refused with the byte', async (test) => {
    const latin = Buffer.from('name\nJosé\n', 'latin1');
    await assert.rejects(readContent(test, { name: 'a.csv', content: latin }), {
      kind: 'value_refused',
      message: /a\.csv is not UTF-8: byte 8 begins no character/,
    });
    const wide = Buffer.from('\ufeffname\nx\n', 'utf16le');
    await assert.rejects(readContent(test, { name: 'a.csv', content: wide }), { message: /is UTF-16/ });
  });

  it('that is empty, or only a header, is a stream without rows', async (test) => {
    const empty = await readContent(test, { name: 'a.csv', content: '' });
    assert.deepEqual([empty.types, empty.rows], [{}, []]);
    const header = await readContent(test, { name: 'a.csv', content: 'a,b' });
    assert.deepEqual([header.types, header.rows], [{ a: 'string', b: 'string' }, []]);
  });

  it('joins files of other columns and order into one stream, with the types of all', async (test) => {
    const folder = await makeFolder(test, {
      't/1.csv': 'id,name,n\n1,a,1\n',
      't/2.csv': 'name,id,extra,n\nb,2,x,1.5\n',
      't/3.csv': 'id,n\n3,\n',
    });
    const { types, rows } = await readStream(openFolder(folder), 't');
    assert.deepEqual(types, { id: 'long', name: 'string', n: 'double', extra: 'string' });
    assert.deepEqual(rows, [
      ['1', 'a', '1', null],
      ['2', 'b', '1.5', 'x'],
      ['3', null, null, null],
    ]);
  });

  it('is handed on in batches within their bounds', async (test) => {
    const lines = Array.from({ length: 5000 }, (_, at) => `${at},${'x'.repeat(50)}`);
    const folder = await makeFolder(test, { 'data/a.csv': `id,text\n${lines.join('\n')}\n` });
    const few = await readStream(openFolder(folder), 'data', { batchRows: 7 });
    assert.equal(Math.max(...few.batches), 7);
    assert.deepEqual(
      few.rows.map(([id]) => Number(id)),
      lines.map((_, at) => at),
    );
    const kept = keepAll();
    const small = await readStream(openFolder(folder), 'data', { ...kept.reading, batchBytes: 1000 });
    assert.equal(small.rows.length, 0);
    assert.ok(Math.max(...kept.batches) < 20);
    assert.equal(kept.rows.length, 5000);
  });
});
