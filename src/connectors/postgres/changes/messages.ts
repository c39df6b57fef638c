/** What we send while the server streams its log. */

const EPOCH_MILLIS = 946_684_800_000;

export interface Progress {
  /** Everything before it has arrived here. */
  readonly received: bigint;
  /** The server may forget everything before it; 0 = it may forget nothing. */
  readonly confirmed: bigint;
}

/** A standby status update, framed; with `ask` the server answers with a keepalive at once. */
export function statusMessage({ received, confirmed }: Progress, now: number, ask = false): Buffer {
  const message = Buffer.alloc(39);
  message[0] = 0x64;
  message.writeInt32BE(38, 1);
  message[5] = 0x72;
  message.writeBigUInt64BE(received > confirmed ? received : confirmed, 6);
  message.writeBigUInt64BE(confirmed, 14);
  message.writeBigUInt64BE(confirmed, 22);
  message.writeBigInt64BE(BigInt(Math.trunc(now - EPOCH_MILLIS)) * 1000n, 30);
  message[38] = ask ? 1 : 0;
  return message;
}

/** Ends the session: the server lets go of the slot when it reads it. */
export const terminateMessage = Buffer.from([0x58, 0, 0, 0, 4]);
