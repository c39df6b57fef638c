/** Element types of the Thrift compact protocol, as list headers and field headers spell them. */
export const thriftTypes = { boolTrue: 1, boolFalse: 2, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

/** Writes one Thrift compact structure. Field ids must rise within a structure; numbers are exact up to 2^53. */
export interface ThriftEncoder {
  i32(field: number, value: number): void;
  i64(field: number, value: number): void;
  bool(field: number, value: boolean): void;
  binary(field: number, value: Uint8Array): void;
  struct(field: number, body: () => void): void;
  structs<T>(field: number, items: readonly T[], body: (item: T) => void): void;
  i32s(field: number, items: readonly number[]): void;
  binaries(field: number, items: readonly Uint8Array[]): void;
  /** Ends the outermost structure; the bytes are the caller's. */
  finish(): Uint8Array;
}

/** Bytes that grow: the primitives of the compact protocol. */
interface CompactBytes {
  byte(value: number): void;
  varint(value: number): void;
  zigzag(value: number): void;
  binary(value: Uint8Array): void;
  take(): Uint8Array;
}

function createCompactBytes(): CompactBytes {
  let bytes = Buffer.allocUnsafe(256);
  let end = 0;

  function reserve(more: number): void {
    if (end + more <= bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(bytes.length * 2, end + more));
    bytes.copy(grown, 0, 0, end);
    bytes = grown;
  }
  function varint(value: number): void {
    let rest = value;
    reserve(10);
    while (rest >= 128) {
      bytes[end++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    bytes[end++] = rest;
  }
  return {
    byte(value) {
      reserve(1);
      bytes[end++] = value;
    },
    varint,
    zigzag: (value) => varint(value < 0 ? -2 * value - 1 : 2 * value),
    binary(value) {
      varint(value.length);
      reserve(value.length);
      bytes.set(value, end);
      end += value.length;
    },
    take: () => bytes.subarray(0, end),
  };
}

/** A new encoder, positioned inside the outermost structure. */
export function createThriftEncoder(): ThriftEncoder {
  const { byte, varint, zigzag, binary, take } = createCompactBytes();
  let lastField = 0;

  function header(field: number, type: number): void {
    const delta = field - lastField;
    if (delta > 0 && delta < 16) byte((delta << 4) | type);
    else {
      byte(type);
      zigzag(field);
    }
    lastField = field;
  }
  function list<T>(field: number, items: readonly T[], element: { type: number; write: (item: T) => void }): void {
    header(field, thriftTypes.list);
    if (items.length < 15) byte((items.length << 4) | element.type);
    else {
      byte(0xf0 | element.type);
      varint(items.length);
    }
    for (const item of items) element.write(item);
  }
  function nested(body: () => void): void {
    const outer = lastField;
    lastField = 0;
    body();
    byte(0);
    lastField = outer;
  }
  function number(type: number): (field: number, value: number) => void {
    return (field, value) => {
      header(field, type);
      zigzag(value);
    };
  }

  return {
    i32: number(thriftTypes.i32),
    i64: number(thriftTypes.i64),
    bool: (field, value) => header(field, value ? thriftTypes.boolTrue : thriftTypes.boolFalse),
    binary(field, value) {
      header(field, thriftTypes.binary);
      binary(value);
    },
    struct(field, body) {
      header(field, thriftTypes.struct);
      nested(body);
    },
    structs: (field, items, body) =>
      list(field, items, { type: thriftTypes.struct, write: (item) => nested(() => body(item)) }),
    i32s: (field, items) => list(field, items, { type: thriftTypes.i32, write: zigzag }),
    binaries: (field, items) => list(field, items, { type: thriftTypes.binary, write: binary }),
    finish() {
      byte(0);
      return take();
    },
  };
}
