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

/** A new encoder, positioned inside the outermost structure. */
export function createThriftEncoder(): ThriftEncoder {
  let bytes = Buffer.allocUnsafe(256);
  let end = 0;
  let lastField = 0;

  function reserve(more: number): void {
    if (end + more <= bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(bytes.length * 2, end + more));
    bytes.copy(grown, 0, 0, end);
    bytes = grown;
  }
  function byte(value: number): void {
    reserve(1);
    bytes[end++] = value;
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
  const zigzag = (value: number): void => varint(value < 0 ? -2 * value - 1 : 2 * value);
  function header(field: number, type: number): void {
    const delta = field - lastField;
    if (delta > 0 && delta < 16) byte((delta << 4) | type);
    else {
      byte(type);
      zigzag(field);
    }
    lastField = field;
  }
  function listHeader(field: number, list: { type: number; size: number }): void {
    header(field, thriftTypes.list);
    if (list.size < 15) byte((list.size << 4) | list.type);
    else {
      byte(0xf0 | list.type);
      varint(list.size);
    }
  }
  function rawBinary(value: Uint8Array): void {
    varint(value.length);
    reserve(value.length);
    bytes.set(value, end);
    end += value.length;
  }
  function nested(body: () => void): void {
    const outer = lastField;
    lastField = 0;
    body();
    byte(0);
    lastField = outer;
  }

  return {
    i32(field, value) {
      header(field, thriftTypes.i32);
      zigzag(value);
    },
    i64(field, value) {
      header(field, thriftTypes.i64);
      zigzag(value);
    },
    bool(field, value) {
      header(field, value ? thriftTypes.boolTrue : thriftTypes.boolFalse);
    },
    binary(field, value) {
      header(field, thriftTypes.binary);
      rawBinary(value);
    },
    struct(field, body) {
      header(field, thriftTypes.struct);
      nested(body);
    },
    structs(field, items, body) {
      listHeader(field, { type: thriftTypes.struct, size: items.length });
      for (const item of items) nested(() => body(item));
    },
    i32s(field, items) {
      listHeader(field, { type: thriftTypes.i32, size: items.length });
      for (const item of items) zigzag(item);
    },
    binaries(field, items) {
      listHeader(field, { type: thriftTypes.binary, size: items.length });
      for (const item of items) rawBinary(item);
    },
    finish() {
      byte(0);
      return bytes.subarray(0, end);
    },
  };
}
