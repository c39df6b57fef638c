/** Packets of the protocol that are not rows, and the commands that we send by ourselves. */

export const COMMAND = {
  query: 0x03,
  binlogDump: 0x12,
  registerReplica: 0x15,
  prepare: 0x16,
  execute: 0x17,
  closeStatement: 0x19,
  binlogDumpGtid: 0x1e,
} as const;

/** First bytes of answers. */
export const ANSWER = { ok: 0x00, localFile: 0xfb, end: 0xfe, error: 0xff } as const;

/** A command as one packet; the first of its exchange. Longer than 16 MB cannot be. */
export function commandPacket(command: number, body: Uint8Array): Buffer {
  const packet = Buffer.alloc(5 + body.length);
  packet.writeUIntLE(body.length + 1, 0, 3);
  packet[4] = command;
  packet.set(body, 5);
  return packet;
}

/** Executes a statement without parameters and without a cursor. */
export function executePacket(statement: number): Buffer {
  const body = Buffer.alloc(9);
  body.writeUInt32LE(statement, 0);
  body.writeUInt32LE(1, 5);
  return commandPacket(COMMAND.execute, body);
}

export function closeStatementPacket(statement: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32LE(statement, 0);
  return commandPacket(COMMAND.closeStatement, body);
}

export interface ServerError {
  readonly errno: number;
  readonly message: string;
}

/** Parses an error packet: number, `#` and five characters of SQLSTATE, sentence. */
export function parseServerError(payload: Buffer): ServerError {
  const errno = payload.length >= 3 ? payload.readUInt16LE(1) : 0;
  const from = payload[3] === 0x23 ? 9 : 3;
  return { errno, message: payload.toString('utf8', from) };
}

/** What a column of an answer is declared as. */
export interface ColumnDefinition {
  readonly type: number;
  readonly unsigned: boolean;
}

const UNSIGNED_FLAG = 0x20;

/** The fixed part stands at the end: character set, length, type, flags, decimals, two bytes of nothing. */
export function parseColumnDefinition(payload: Buffer): ColumnDefinition {
  const at = payload.length - 12;
  return { type: payload[at + 6] ?? 0, unsigned: (payload.readUInt16LE(at + 7) & UNSIGNED_FLAG) !== 0 };
}

/** A length-encoded number of at most 8 bytes, and where it ends. */
export function readLength(bytes: Buffer, at: number): { value: number; next: number } {
  const first = bytes[at] ?? 0;
  if (first === 0xfc) return { value: bytes.readUInt16LE(at + 1), next: at + 3 };
  if (first === 0xfd) return { value: bytes.readUIntLE(at + 1, 3), next: at + 4 };
  if (first === 0xfe) return { value: Number(bytes.readBigUInt64LE(at + 1)), next: at + 9 };
  return { value: first, next: at + 1 };
}
