/** Type, lake type, and pairs of a literal with the canonical text that must arrive. */
export type Golden = readonly [
  type: string,
  lake: string,
  values: readonly (readonly [literal: string, text: string])[],
];

const same = (...texts: string[]): [string, string][] => texts.map((text) => [text, text]);
const NINES = '9'.repeat(38);

export const GOLDENS: readonly Golden[] = [
  [
    'bool',
    'boolean',
    [
      ['t', 'true'],
      ['f', 'false'],
    ],
  ],
  ['smallint', 'int', same('-32768', '32767', '0')],
  ['integer', 'int', same('-2147483648', '2147483647', '0', '-1')],
  ['bigint', 'long', same('-9223372036854775808', '9223372036854775807', '0', '-1', '4294967296', '-4294967297')],
  [
    'real',
    'float',
    [
      ['0.1', String(Math.fround(0.1))],
      ['NaN', 'NaN'],
      ['Infinity', 'Infinity'],
      ['-Infinity', '-Infinity'],
      ['-0', '0'],
    ],
  ],
  [
    'double precision',
    'double',
    [
      ...same('0.1', '5e-324', '1.7976931348623157e+308', '9007199254740993'.replace('3', '2')),
      ['NaN', 'NaN'],
      ['-Infinity', '-Infinity'],
    ],
  ],
  ['numeric(5,2)', 'decimal(5,2)', same('999.99', '-999.99', '0.01', '-0.01', '0.00', '100.00')],
  ['numeric(9,0)', 'decimal(9,0)', same('999999999', '-999999999', '10000', '0')],
  ['numeric(9,9)', 'decimal(9,9)', same('0.999999999', '-0.000000001', '0.100000000')],
  ['numeric(10,2)', 'decimal(10,2)', same('99999999.99', '-99999999.99', '42949672.96', '10000.00', '0.10')],
  ['numeric(15,5)', 'decimal(15,5)', same('9999999999.99999', '-9999999999.99999', '0.00001', '1000000000.00000')],
  ['numeric(16,2)', 'decimal(16,2)', same('99999999999999.99', '-90071992547409.93', '0.01')],
  ['numeric(18,6)', 'decimal(18,6)', same('999999999999.999999', '-999999999999.999999', '1000000.000000', '0.000001')],
  [
    'numeric(19,0)',
    'decimal(19,0)',
    same('9999999999999999999', '-9999999999999999999', '18446744073709551616'.slice(0, 19)),
  ],
  ['numeric(38,0)', 'decimal(38,0)', same(NINES, `-${NINES}`, '18446744073709551616', '1'.padEnd(37, '0'))],
  ['numeric(38,38)', 'decimal(38,38)', same(`0.${NINES}`, `-0.${'0'.repeat(37)}1`)],
  [
    'numeric(38,10)',
    'decimal(38,10)',
    same(
      '1234567890123456789012345678.0123456789',
      '-0.0000000001',
      '79228162514264337593543950336.0000000000'.slice(1),
    ),
  ],
  ['numeric', 'string', same('1.10', 'NaN', '1'.repeat(60), '0.000', '123456789012345678901234567890.123456789')],
  ['numeric(60,2)', 'string', same('9'.repeat(58) + '.25', '1.50')],
  [
    'date',
    'timestamp',
    [
      ['2024-02-29', '2024-02-29T00:00:00.000000Z'],
      ['0001-01-01', '0001-01-01T00:00:00.000000Z'],
      ['9999-12-31', '9999-12-31T00:00:00.000000Z'],
      ['1969-12-31', '1969-12-31T00:00:00.000000Z'],
      ['10000-01-01', '9999-12-31T23:59:59.999999Z'],
      ['0001-12-31 BC', '1970-01-01T00:00:00.000000Z'],
      ['infinity', '9999-12-31T23:59:59.999999Z'],
      ['-infinity', '1970-01-01T00:00:00.000000Z'],
    ],
  ],
  [
    'timestamp',
    'timestamp',
    [
      ['2024-02-29 23:59:59.999999', '2024-02-29T23:59:59.999999Z'],
      ['1969-12-31 23:59:59.999999', '1969-12-31T23:59:59.999999Z'],
      ['0001-01-01', '0001-01-01T00:00:00.000000Z'],
      ['0001-12-31 23:59:59.999999 BC', '1970-01-01T00:00:00.000000Z'],
      ['9999-12-31 23:59:59.999999', '9999-12-31T23:59:59.999999Z'],
      ['10000-01-01', '9999-12-31T23:59:59.999999Z'],
      ['294276-12-31 23:59:59.999999', '9999-12-31T23:59:59.999999Z'],
      ['infinity', '9999-12-31T23:59:59.999999Z'],
      ['-infinity', '1970-01-01T00:00:00.000000Z'],
    ],
  ],
  [
    'timestamptz',
    'timestamp',
    [
      ['2024-07-01 12:00:00+05:30', '2024-07-01T06:30:00.000000Z'],
      ['2000-01-01 00:00:00+00', '2000-01-01T00:00:00.000000Z'],
      ['1999-12-31 23:59:59.5+00', '1999-12-31T23:59:59.500000Z'],
      ['infinity', '9999-12-31T23:59:59.999999Z'],
    ],
  ],
  [
    'text',
    'string',
    same(
      '',
      'plain',
      'ünïcödé 🦆',
      "quote ' and \\ and \n newline",
      'x'.repeat(31),
      'x'.repeat(32),
      'y'.repeat(100_000),
    ),
  ],
  ['varchar(10)', 'string', same('ten chars!', '')],
  ['char(4)', 'string', [['ab', 'ab  ']]],
  ['"char"', 'string', same('a')],
  ['name', 'string', same('pg_name')],
  ['uuid', 'string', same('00000000-0000-0000-0000-000000000000', 'ffffffff-1234-5678-9abc-def012345678')],
  ['json', 'string', same('{"a":1.10, "b": [1,  2]}', 'null', '12345678901234567890')],
  [
    'jsonb',
    'string',
    [
      ['{"a":1.10,"b":[1,2]}', '{"a": 1.10, "b": [1, 2]}'],
      ['12345678901234567890', '12345678901234567890'],
    ],
  ],
  ['bytea', 'string', same('\\x', '\\x00ff10', `\\x${'ab'.repeat(5000)}`)],
  ['time', 'string', same('23:59:59.999999', '24:00:00')],
  ['timetz', 'string', same('12:00:00+02')],
  ['interval', 'string', same('1 year 2 mons 3 days 04:05:06.789', '-00:00:01')],
  ['money', 'string', same('$1,234.56')],
  ['inet', 'string', same('192.168.1.1', '10.0.0.0/8', '::1')],
  ['cidr', 'string', same('10.0.0.0/8', '192.168.1.1/32')],
  ['macaddr', 'string', same('08:00:2b:01:02:03')],
  ['xml', 'string', same('<a b="1">ü</a>')],
  ['point', 'string', same('(1.5,-2)')],
  ['polygon', 'string', same('((0,0),(1,1),(1,0))')],
  ['int4range', 'string', same('[1,5)', 'empty')],
  ['tstzrange', 'string', same('["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")')],
  ['int4multirange', 'string', same('{[1,3),[5,7)}')],
  ['bit(4)', 'string', same('1010')],
  ['varbit', 'string', same('10101', '')],
  ['tsvector', 'string', same("'a' 'b':1")],
  ['oid', 'string', same('4294967295')],
  ['pg_lsn', 'string', same('16/B374D848')],
  ['mood', 'string', same('happy', 'so so')],
  ['pair', 'string', same('(1,"a b")', '(,)')],
  ['positive', 'int', same('7')],
  ['price', 'decimal(12,4)', same('12345678.1234', '-0.0001')],
  ['nested_price', 'decimal(12,4)', same('1.5000')],
  [
    'integer[]',
    'string',
    [
      ['{1,NULL,-3}', '[1,null,-3]'],
      ['{}', '[]'],
      ['{{1,2},{3,4}}', '[[1,2],[3,4]]'],
    ],
  ],
  ['text[]', 'string', [['{"a b","c\\"d",NULL}', '["a b","c\\"d",null]']]],
  [
    'numeric[]',
    'string',
    [['{1.10,NaN,123456789012345678901234567890.5}', '[1.10,"NaN",123456789012345678901234567890.5]']],
  ],
  ['bigint[]', 'string', [['{9223372036854775807}', '[9223372036854775807]']]],
  ['float8[]', 'string', [['{0.1,Infinity}', '[0.1,"Infinity"]']]],
  ['timestamptz[]', 'string', [['{"2024-01-01 00:00:00+00"}', '["2024-01-01T00:00:00+00:00"]']]],
  ['mood[]', 'string', [['{happy}', '["happy"]']]],
  ['int_list', 'string', [['{1,2}', '[1,2]']]],
];

/** Types that the goldens use. */
export const GOLDEN_SETUP = `
  create type mood as enum ('sad', 'so so', 'happy');
  create type pair as (a int, b text);
  create domain positive as int not null check (value > 0);
  create domain price as numeric(12,4);
  create domain nested_price as price check (value > 0);
  create domain int_list as int[];
`;
