/** Type, lake type, and pairs of a literal with the canonical text that must arrive. For tests of readers and of the log. */
export type Golden = readonly [
  declared: string,
  lake: string,
  values: readonly (readonly [literal: string, text: string])[],
];

const same = (...texts: string[]): [string, string][] => texts.map((text) => [text, text]);
const quoted = (...texts: string[]): [string, string][] =>
  texts.map((text) => [`'${text.replaceAll("'", "''")}'`, text]);
const NINES = (digits: number): string => '9'.repeat(digits);
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const hex = (...bytes: string[]): [string, string][] => bytes.map((text) => [`x'${text}'`, base64(text)]);
/** Point(1 2) in well-known binary form. */
const POINT = '0101000000000000000000f03f0000000000000040';

export const GOLDENS: readonly Golden[] = [
  ['tinyint', 'int', same('-128', '127', '0')],
  ['tinyint(1)', 'int', same('0', '1', '-1')],
  ['tinyint unsigned', 'int', same('0', '255', '128')],
  ['smallint', 'int', same('-32768', '32767')],
  ['smallint unsigned', 'int', same('65535', '0')],
  ['mediumint', 'int', same('-8388608', '8388607', '-1')],
  ['mediumint unsigned', 'int', same('16777215', '8388608')],
  ['int', 'int', same('-2147483648', '2147483647', '0', '-1')],
  ['int unsigned', 'long', same('4294967295', '0', '2147483648')],
  ['int(5) zerofill', 'long', [['7', '7']]],
  ['bigint', 'long', same('-9223372036854775808', '9223372036854775807', '0', '-1', '4294967296', '-4294967297')],
  ['bigint unsigned', 'decimal(20,0)', same('18446744073709551615', '0', '9223372036854775808', '4294967295')],
  [
    'bit(1)',
    'int',
    [
      ["b'1'", '1'],
      ["b'0'", '0'],
    ],
  ],
  ['bit(31)', 'int', same('2147483647', '0')],
  ['bit(33)', 'long', same('8589934591', '256')],
  ['bit(64)', 'decimal(20,0)', same('18446744073709551615', '1')],
  ['year', 'long', same('1901', '2155', '0')],
  [
    'float',
    'float',
    [
      ['0.1', String(Math.fround(0.1))],
      ['-3.4028234663852886e38', '-3.4028234663852886e+38'],
      ['1.17549435e-38', String(Math.fround(1.17549435e-38))],
      ['-0e0', '0'],
    ],
  ],
  [
    'double',
    'double',
    [
      ['0.1', '0.1'],
      ['1.7976931348623157e308', '1.7976931348623157e+308'],
      ['-2.2250738585072014e-308', '-2.2250738585072014e-308'],
      ['9007199254740992', '9007199254740992'],
      ['-0e0', '0'],
    ],
  ],
  ['decimal(5,2)', 'decimal(5,2)', same('999.99', '-999.99', '0.01', '-0.01', '0.00', '100.00')],
  ['decimal(9,0)', 'decimal(9,0)', same('999999999', '-999999999', '10000', '0')],
  ['decimal(9,9)', 'decimal(9,9)', same('0.999999999', '-0.000000001', '0.100000000')],
  ['decimal(10,2)', 'decimal(10,2)', same('99999999.99', '-99999999.99', '42949672.96', '0.10')],
  ['decimal(15,5)', 'decimal(15,5)', same('9999999999.99999', '-9999999999.99999', '0.00001')],
  ['decimal(16,2)', 'decimal(16,2)', same('99999999999999.99', '-90071992547409.93', '0.01')],
  ['decimal(18,6)', 'decimal(18,6)', same('999999999999.999999', '-999999999999.999999', '0.000001')],
  ['decimal(19,0)', 'decimal(19,0)', same('9999999999999999999', '-9999999999999999999')],
  ['decimal(38,0)', 'decimal(38,0)', same(NINES(38), `-${NINES(38)}`, '18446744073709551616')],
  ['decimal(38,38)', 'decimal(38,38)', same(`0.${NINES(38)}`, `-0.${'0'.repeat(37)}1`)],
  ['decimal(38,10)', 'decimal(38,10)', same('1234567890123456789012345678.0123456789', '-0.0000000001')],
  ['decimal(65,30)', 'string', same(`${NINES(35)}.${NINES(30)}`, `-0.${'0'.repeat(29)}1`, `0.${'0'.repeat(30)}`)],
  [
    'date',
    'timestamp',
    [
      ["'2024-02-29'", '2024-02-29T00:00:00.000000Z'],
      ["'0001-01-01'", '0001-01-01T00:00:00.000000Z'],
      ["'9999-12-31'", '9999-12-31T00:00:00.000000Z'],
      ["'1969-12-31'", '1969-12-31T00:00:00.000000Z'],
      ["'0000-00-00'", '1970-01-01T00:00:00.000000Z'],
    ],
  ],
  [
    'datetime',
    'timestamp',
    [
      ["'2024-02-29 23:59:59'", '2024-02-29T23:59:59.000000Z'],
      ["'0000-00-00 00:00:00'", '1970-01-01T00:00:00.000000Z'],
      ["'1000-01-01 00:00:01'", '1000-01-01T00:00:01.000000Z'],
    ],
  ],
  [
    'datetime(6)',
    'timestamp',
    [
      ["'9999-12-31 23:59:59.999999'", '9999-12-31T23:59:59.999999Z'],
      ["'1969-12-31 23:59:59.999999'", '1969-12-31T23:59:59.999999Z'],
      ["'2024-01-01 00:00:00.000001'", '2024-01-01T00:00:00.000001Z'],
    ],
  ],
  ['datetime(3)', 'timestamp', [["'2024-01-01 12:34:56.789'", '2024-01-01T12:34:56.789000Z']]],
  [
    'timestamp(6) null',
    'timestamp',
    [
      ["'1970-01-01 00:00:01.000000'", '1970-01-01T00:00:01.000000Z'],
      ["'2038-01-19 03:14:07.999999'", '2038-01-19T03:14:07.999999Z'],
    ],
  ],
  ['timestamp null', 'timestamp', [["'2024-07-01 06:30:00'", '2024-07-01T06:30:00.000000Z']]],
  ['time', 'string', quoted('-838:59:59', '838:59:59', '00:00:00', '-00:00:01', '12:34:56')],
  [
    'time(6)',
    'string',
    quoted('-838:59:59.999999', '838:59:59.999999', '-00:00:00.000001', '00:00:00.100000', '-01:00:00.500000'),
  ],
  ['time(2)', 'string', quoted('-00:00:00.01', '01:02:03.99', '-01:00:00.00')],
  [
    'char(10)',
    'string',
    [
      ["'ab   '", 'ab'],
      ["''", ''],
      ["'é☃😀'", 'é☃😀'],
    ],
  ],
  ['varchar(300)', 'string', quoted('', 'a', 'é☃😀', "it's \\ back", 'x'.repeat(300), ' pad ')],
  ['varchar(20) character set latin1', 'string', quoted('', 'plain', 'é€ÿ')],
  ['text character set utf8mb3', 'string', quoted('é☃')],
  ['char(5) character set ucs2', 'string', quoted('aé☃')],
  ['varchar(5) character set utf32', 'string', quoted('aé😀')],
  ['varchar(9) character set cp1251', 'string', quoted('Привет')],
  ['varchar(9) character set gbk', 'string', quoted('你好')],
  ['longtext', 'string', quoted('x'.repeat(70_000), '')],
  ['json', 'string', quoted('{"a": [1, 2.50, "é"]}', '[]', 'null')],
  ["enum('a','b''c','é')", 'string', quoted('a', "b'c", 'é')],
  ["enum('a') ", 'string', [["''", '']]],
  ["set('x','y','z')", 'string', quoted('', 'x', 'x,z', 'x,y,z')],
  [
    'binary(5)',
    'string',
    [
      ["x'0102'", base64('0102000000')],
      ["x''", base64('0000000000')],
    ],
  ],
  ['varbinary(10)', 'string', hex('', '00', 'ff00ff', '01020304', '2020')],
  ['blob', 'string', hex('', 'deadbeef', '00'.repeat(100))],
  ['longblob', 'string', hex('ab'.repeat(66_000))],
  ['point', 'string', [['point(1, 2)', base64(POINT)]]],
  ['geometry', 'string', [["st_geomfromtext('POINT(1 2)', 4326)", base64(POINT)]]],
  [
    'uuid',
    'string',
    quoted(
      '123e4567-e89b-12d3-a456-426614174000',
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-4fff-bfff-ffffffffffff',
    ),
  ],
  ['inet6', 'string', quoted('::', '::1', '2001:db8::ff00:42:8329', '::ffff:192.0.2.128', 'fe80::1:0:0:1')],
  ['inet4', 'string', quoted('0.0.0.0', '255.255.255.255')],
];
