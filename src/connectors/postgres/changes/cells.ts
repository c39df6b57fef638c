import { typeWord } from '../../../columns/index.ts';
import { readingAs, readingOf } from '../types.ts';
import type { WireColumn } from '../wire/decoder.ts';
import { arrayToJson, elementSpelling } from './arrays.ts';
import { printers, type Print } from './prints.ts';
import { cellText, copyCell, putText, type Cell, type Convert, type RowWriter } from './row.ts';
import { fromText } from './texts.ts';
import type { LogTypeFacts } from './types.ts';

/** How the values of one column of the log become a field of a row. */
export interface CellReader {
  /** For values that the server printed; undefined when the value must be fetched from the table instead. */
  readonly printed: Convert | undefined;
  /** For values in binary form; undefined when that form is not read here and text must be asked for. */
  readonly binary: Convert | undefined;
  /** The text of a binary value, for keys and filters. */
  readonly print: Print | undefined;
}

/** Types whose binary form is their text. */
const SENT_AS_TEXT = new Set(['text', 'varchar', 'bpchar', 'json', 'name']);

/** A reader from the type in the log to the lake's column; undefined when the types do not fit. */
export function readerOf(facts: LogTypeFacts, target: WireColumn): CellReader | undefined {
  const reading = readingOf(facts);
  const { type } = target.column;
  if (typeWord(reading.type) !== typeWord(type) && !readingAs(reading, type)) return undefined;
  const printed = printedReader(facts, target);
  const isOwn = facts.schema === 'pg_catalog';
  const isText = facts.category === 'E' || (isOwn && SENT_AS_TEXT.has(facts.name));
  const print = isText ? cellText : isOwn ? printers[facts.name] : undefined;
  if (isText && target.wire === 'text') return { printed, binary: copyCell, print };
  const isSame = isOwn && reading.wire === target.wire && reading.wire !== 'text';
  if (isSame) return { printed, binary: copyCell, print };
  return { printed, binary: print && printed && viaText(print, printed), print };
}

function printedReader(facts: LogTypeFacts, { wire }: WireColumn): Convert | undefined {
  if (facts.category === 'A') {
    const spell = facts.element && elementSpelling(facts.element);
    return spell && ((cell, row) => putText(arrayToJson(cellText(cell), spell), row));
  }
  if (facts.name === 'bool' && wire === 'text') return printBoolean;
  if (facts.name === 'float4' && wire === 'float8') return widenFloat;
  return fromText[wire];
}

function viaText(print: Print, printed: Convert): Convert {
  return (cell, row) => printed(textCell(print(cell)), row);
}

/** The text as a value of its own. */
export function textCell(text: string): Cell {
  const bytes = Buffer.from(text);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at: 0, length: bytes.length };
}

const printBoolean: Convert = (cell, row) => putText(cellText(cell).startsWith('t') ? 'true' : 'false', row);

// A cast to double keeps the 32-bit value, not its short text.
const widenFloat: Convert = (cell: Cell, row: RowWriter) =>
  fromText.float8(textCell(String(Math.fround(Number(cellText(cell))))), row);
