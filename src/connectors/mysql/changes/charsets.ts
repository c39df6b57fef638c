/** Character sets whose bytes are UTF-8 already. */
const UTF8 = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'ascii', '']);

/** Names of the other character sets as the encoding standard knows them. */
const ENCODINGS: Readonly<Record<string, string>> = {
  latin1: 'windows-1252',
  latin2: 'iso-8859-2',
  latin5: 'windows-1254',
  latin7: 'iso-8859-13',
  cp1250: 'windows-1250',
  cp1251: 'windows-1251',
  cp1256: 'windows-1256',
  cp1257: 'windows-1257',
  cp866: 'ibm866',
  greek: 'iso-8859-7',
  hebrew: 'iso-8859-8',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  macroman: 'macintosh',
  gb2312: 'gbk',
  gbk: 'gbk',
  gb18030: 'gb18030',
  big5: 'big5',
  sjis: 'shift_jis',
  cp932: 'shift_jis',
  ujis: 'euc-jp',
  eucjpms: 'euc-jp',
  euckr: 'euc-kr',
  tis620: 'windows-874',
  ucs2: 'utf-16be',
  utf16: 'utf-16be',
  utf16le: 'utf-16le',
  utf32: 'utf-32be',
};

export function isKnownCharset(charset: string): boolean {
  return UTF8.has(charset) || ENCODINGS[charset] !== undefined;
}

/** Turns bytes of a character set into UTF-8; undefined when they are UTF-8 already. */
export function createRecoder(charset: string): ((bytes: Buffer) => Buffer) | undefined {
  if (UTF8.has(charset)) return undefined;
  if (charset === 'utf32') return (bytes) => Buffer.from(fromUtf32(bytes));
  const decoder = new TextDecoder(ENCODINGS[charset] ?? charset);
  return (bytes) => Buffer.from(decoder.decode(bytes));
}

function fromUtf32(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 4 <= bytes.length; at += 4) text += String.fromCodePoint(bytes.readUInt32BE(at));
  return text;
}
