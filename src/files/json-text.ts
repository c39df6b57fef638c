/** Why bytes are no JSON object; `at` counts from the start of the record. */
export class NotJson extends Error {
  readonly at: number;
  constructor(reason: string, at: number) {
    super(reason);
    this.at = at;
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const DEEPEST = 512;
const WORDS = ['true', 'false', 'null'] as const;

/** A position in JSON bytes that moves over one piece after the other and refuses what is none (RFC 8259). */
export class JsonText {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  #start = 0;
  #end = 0;
  /** The last text held neither escapes nor characters beyond ASCII. */
  #plain = true;
  /** Blanks were skipped since this was set to false. */
  blanks = false;

  /** Puts the position at the start of a record. */
  enter(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.#start = start;
    this.#end = end;
  }

  fail(reason: string): NotJson {
    return new NotJson(reason, this.at - this.#start);
  }

  /** The next byte that is no blank. */
  skipBlanks(): number {
    const { bytes } = this;
    const end = this.#end;
    let at = this.at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === 32 || byte === 10 || byte === 13 || byte === 9) continue;
      if (at > this.at) this.blanks = true;
      this.at = at;
      return byte;
    }
    this.at = at;
    throw this.fail('it ends too early');
  }

  /** Nothing but blanks may follow. */
  demandEnd(): void {
    for (; this.at < this.#end; this.at++) {
      if (this.bytes[this.at]! > 32) throw this.fail('something follows the object');
    }
  }

  /** True when these bytes stand here; then the position is behind them. */
  passes(expected: Buffer): boolean {
    const { bytes, at } = this;
    const { length } = expected;
    if (at + length > this.#end) return false;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== expected[i]) return false;
    this.at = at + length;
    return true;
  }

  /** From an opening quote to behind the closing one. */
  skipString(): void {
    const { bytes } = this;
    const end = this.#end;
    let plain = true;
    for (let at = this.at + 1; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        this.#plain = plain;
        return;
      }
      if (byte === BACKSLASH) {
        plain = false;
        this.at = at + 1;
        this.#skipEscape();
        at = this.at;
      } else if (byte > 127) plain = false;
      else if (byte < 32) {
        this.at = at;
        throw this.fail('a text holds a control character');
      }
    }
    this.at = end;
    throw this.fail('a text is not closed');
  }

  /** Ends at the escape's last byte. */
  #skipEscape(): void {
    const { bytes, at } = this;
    const byte = bytes[at] ?? 0;
    if (byte === 117) {
      const digits = bytes.toString('latin1', at + 1, Math.min(at + 5, this.#end));
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.fail('a wrong \\u escape');
      this.at = at + 4;
    } else if (!'"\\/bfnrt'.includes(String.fromCharCode(byte))) throw this.fail('a wrong escape');
  }

  readString(): string {
    const from = this.at + 1;
    this.skipString();
    const to = this.at - 1;
    if (this.#plain) return this.bytes.toString('latin1', from, to);
    const text = this.bytes.toString('utf8', from, to);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  /** The digits as they stand. */
  readNumber(): string {
    const from = this.at;
    this.#skipNumber();
    return this.bytes.toString('latin1', from, this.at);
  }

  #skipNumber(): void {
    const { bytes } = this;
    if (bytes[this.at] === 45) this.at++;
    if (bytes[this.at] === 48) this.at++;
    else this.#skipDigits();
    if (this.at < this.#end && bytes[this.at] === 46) {
      this.at++;
      this.#skipDigits();
    }
    if (this.at < this.#end && (bytes[this.at] === 101 || bytes[this.at] === 69)) {
      this.at++;
      if (bytes[this.at] === 43 || bytes[this.at] === 45) this.at++;
      this.#skipDigits();
    }
  }

  #skipDigits(): void {
    const from = this.at;
    while (this.at < this.#end && this.bytes[this.at]! >= 48 && this.bytes[this.at]! <= 57) this.at++;
    if (this.at === from) throw this.fail('a number without digits');
  }

  readWord(): (typeof WORDS)[number] {
    for (const word of WORDS) {
      const end = this.at + word.length;
      if (end <= this.#end && this.bytes.toString('latin1', this.at, end) === word) {
        this.at = end;
        return word;
      }
    }
    throw this.fail('a value that is none');
  }

  /** Objects and arrays without blanks between their parts; each text and number as it stands. */
  readNested(): string {
    const from = this.at;
    this.blanks = false;
    this.#skipNested(1);
    const part = this.bytes.subarray(from, this.at);
    return this.blanks ? withoutBlanks(part) : part.toString();
  }

  skipValue(depth = 1): void {
    const byte = this.skipBlanks();
    if (byte === QUOTE) this.skipString();
    else if (byte === 123 || byte === 91) this.#skipNested(depth);
    else if (isNumberStart(byte)) this.#skipNumber();
    else this.readWord();
  }

  #skipNested(depth: number): void {
    if (depth > DEEPEST) throw this.fail(`nested deeper than ${DEEPEST} levels`);
    const object = this.bytes[this.at] === 123;
    const close = object ? 125 : 93;
    this.at++;
    if (this.skipBlanks() === close) {
      this.at++;
      return;
    }
    for (;;) {
      if (object) {
        if (this.skipBlanks() !== QUOTE) throw this.fail('a key is expected');
        this.skipString();
        this.demandColon();
      }
      this.skipValue(depth + 1);
      if (!this.goesOn(close)) return;
    }
  }

  /** Behind the colon after a key. */
  demandColon(): void {
    if (this.skipBlanks() !== 58) throw this.fail('a colon is expected');
    this.at++;
  }

  /** Behind the comma after a value, or, then false, behind the closing bracket. */
  goesOn(close: number): boolean {
    const byte = this.skipBlanks();
    if (byte !== close && byte !== 44) throw this.fail('a comma is expected');
    this.at++;
    return byte === 44;
  }
}

export function isNumberStart(byte: number): boolean {
  return byte === 45 || (byte >= 48 && byte <= 57);
}

/** Texts inside keep theirs. */
function withoutBlanks(json: Buffer): string {
  const kept = Buffer.allocUnsafe(json.length);
  let length = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte <= 32 && !inText) continue;
    kept[length++] = byte;
    if (byte === QUOTE) inText = !inText;
    else if (byte === BACKSLASH && inText) kept[length++] = json[++at]!;
  }
  return kept.toString('utf8', 0, length);
}
