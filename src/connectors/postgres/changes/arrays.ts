import { Failure } from '../../../errors.ts';

/** How an element is spelled in JSON, as the server's `to_json` does it; undefined when that is not known here. */
export function elementSpelling(element: { schema: string; name: string; category: string; kind: string }) {
  if (element.kind === 'e') return JSON.stringify;
  if (element.schema !== 'pg_catalog' || element.kind !== 'b') return undefined;
  if (element.name === 'box') return undefined;
  return SPELLINGS[element.name] ?? JSON.stringify;
}

type Spell = (text: string) => string;

const spellNumber: Spell = (text) => (/^(NaN|-?Infinity)$/.test(text) ? `"${text}"` : text);
const spellTime: Spell = (text) => JSON.stringify(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
const asItIs: Spell = (text) => text;

const SPELLINGS: Readonly<Record<string, Spell>> = {
  bool: (text) => (text === 't' ? 'true' : 'false'),
  int2: spellNumber,
  int4: spellNumber,
  int8: spellNumber,
  float4: spellNumber,
  float8: spellNumber,
  numeric: spellNumber,
  timestamp: spellTime,
  timestamptz: spellTime,
  json: asItIs,
  jsonb: asItIs,
};

/** An array as the server prints it, `{1,NULL,"a b"}`, as JSON text. */
export function arrayToJson(printed: string, spell: Spell): string {
  // Bounds that do not begin at 1 stand before: [0:1]={…}.
  let at = printed.startsWith('[') ? printed.indexOf('=') + 1 : 0;
  let json = '';
  while (at < printed.length) {
    const mark = printed[at] ?? '';
    if (mark === '{' || mark === '}' || mark === ',') {
      json += mark === '{' ? '[' : mark === '}' ? ']' : ',';
      at++;
    } else if (mark === '"') {
      const end = closingQuote(printed, at);
      json += spell(printed.slice(at + 1, end).replaceAll(/\\(.)/gs, '$1'));
      at = end + 1;
    } else {
      const end = printed.slice(at).search(/[,{}]/);
      if (end <= 0) throw malformed();
      const word = printed.slice(at, at + end);
      json += /^null$/i.test(word) ? 'null' : spell(word.replaceAll(/\\(.)/gs, '$1'));
      at += end;
    }
  }
  return json;
}

function closingQuote(printed: string, from: number): number {
  for (let at = from + 1; at < printed.length; at++) {
    if (printed[at] === '\\') at++;
    else if (printed[at] === '"') return at;
  }
  throw malformed();
}

function malformed(): Failure {
  return new Failure('internal', 'the log holds an array in an unknown form');
}
