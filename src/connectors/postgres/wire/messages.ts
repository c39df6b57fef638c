/** Messages of the server that are not rows, and the two that we send by ourselves. */

/** A simple query, framed. */
export function queryMessage(sql: string): Buffer {
  const body = Buffer.from(`${sql}\0`);
  const head = Buffer.alloc(5);
  head[0] = 0x51;
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Asks the server, on a connection of its own, to end what the named backend does. */
export function cancelMessage(processId: number, secret: number): Buffer {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(80877102, 4);
  message.writeInt32BE(processId, 8);
  message.writeInt32BE(secret | 0, 12);
  return message;
}

/** An ErrorResponse of the server as an error: `code` is the SQLSTATE. */
export interface ServerError extends Error {
  readonly code: string;
}

/** Parses the fields of an ErrorResponse body: a byte that names the field, its text, NUL; a NUL ends them. */
export function parseServerError(body: Buffer): ServerError {
  const fields = new Map<string, string>();
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end < 0 ? body.length : end));
    at = end < 0 ? body.length : end + 1;
  }
  return Object.assign(new Error(fields.get('M') ?? 'unknown error of the server'), {
    code: fields.get('C') ?? 'XX000',
  });
}

/** Oids of the types of a RowDescription: per column a name, NUL, and 18 bytes with the type's oid after the first six. */
export function parseResultTypes(body: Buffer): number[] {
  const types: number[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const end = body.indexOf(0, at);
    types.push(body.readUInt32BE(end + 7));
    at = end + 19;
  }
  return types;
}

/** The rows that a CommandComplete of a `COPY` tells; undefined for another command. */
export function parseCommandRows(body: Buffer): number | undefined {
  const rows = /^COPY (\d+)\0$/.exec(body.toString('latin1'))?.[1];
  return rows === undefined ? undefined : Number(rows);
}
