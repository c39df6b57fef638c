import { isNumberStart, JsonText } from './json-text.ts';
import { SPELLING } from './rows.ts';
import type { RecordTaker } from './rows.ts';

const QUOTE = 34;
const CLOSE = 125;
const NULL_START = 110;
const MOST_EXPECTED = 10_000;

/** A key as it stands in the file, quotes included, and where its values go. */
interface Expected {
  readonly quoted: Buffer;
  readonly slot: number;
}

/** Reads the object between two positions. Throws `NotJson`. */
export type Scan = (bytes: Buffer, start: number, end: number) => void;

/**
 * Reads one JSON object at a time straight into the taker's texts: numbers keep their digits, nested values stay JSON text
 * without blanks, and no object is made. Keys are expected in the order of the record before.
 */
export function createScanner(taker: RecordTaker): Scan {
  const json = new JsonText();
  const order: Expected[] = [];
  const expected = new Map<string, Expected>();

  function readMember(position: number): void {
    if (json.skipBlanks() !== QUOTE) throw json.fail('a key is expected');
    const known = order[position];
    if (known !== undefined && json.passes(known.quoted)) {
      json.demandColon();
      readSlot(known.slot);
      return;
    }
    const from = json.at;
    const key = json.readString();
    const quoted = json.bytes.subarray(from, json.at);
    json.demandColon();
    // A key without a value makes no column; what stood under it before, a repeated key takes back.
    if (json.skipBlanks() === NULL_START && !taker.knows(key)) return json.skipValue();
    order[position] = expect(key, quoted);
    readSlot(order[position]!.slot);
  }
  function expect(key: string, quoted: Buffer): Expected {
    const known = expected.get(key);
    if (known) return known;
    const fresh = { quoted: Buffer.from(quoted), slot: taker.slotOf(key) };
    if (expected.size < MOST_EXPECTED) expected.set(key, fresh);
    return fresh;
  }
  function readSlot(slot: number): void {
    if (slot < 0) json.skipValue();
    else readValue(json, taker, slot);
  }
  return (bytes, start, end) => {
    json.enter(bytes, start, end);
    if (json.skipBlanks() !== 123) throw json.fail('it is no object');
    json.at++;
    if (json.skipBlanks() === CLOSE) json.at++;
    else {
      let position = 0;
      do readMember(position++);
      while (json.goesOn(CLOSE));
    }
    json.demandEnd();
  };
}

function readValue(json: JsonText, { texts, spellings }: RecordTaker, slot: number): void {
  const byte = json.skipBlanks();
  if (byte === QUOTE) {
    texts[slot] = json.readString();
    spellings[slot] = SPELLING.text;
  } else if (isNumberStart(byte)) {
    texts[slot] = json.readNumber();
    spellings[slot] = SPELLING.number;
  } else if (byte === 123 || byte === 91) {
    texts[slot] = json.readNested();
    spellings[slot] = SPELLING.nested;
  } else {
    const word = json.readWord();
    texts[slot] = word === 'null' ? null : word;
    spellings[slot] = SPELLING.word;
  }
}
