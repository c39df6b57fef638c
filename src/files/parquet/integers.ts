/** Decimals lie as integers, or as big-endian bytes. */
export function unscaled(raw: unknown): bigint {
  if (!(raw instanceof Uint8Array)) return BigInt(raw as number | bigint);
  if (raw.length === 0) return 0n;
  return BigInt.asIntN(8 * raw.length, BigInt(`0x${Buffer.from(raw).toString('hex')}`));
}

export function floorDivide(value: bigint, by: bigint): bigint {
  return value >= 0n ? value / by : (value - by + 1n) / by;
}
