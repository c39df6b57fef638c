type Exact = JSON & { isRawJSON(value: unknown): value is { readonly rawJSON: string } };

const exactJson = JSON as unknown as Exact;

/** A body whose integers beyond 2^53, kept as raw text by the server, become bigints; other long numbers doubles. */
export function exactBody(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (exactJson.isRawJSON(value)) {
    const { rawJSON } = value as { readonly rawJSON: string };
    return /^-?\d+$/.test(rawJSON) ? BigInt(rawJSON) : Number(rawJSON);
  }
  if (Array.isArray(value)) return value.map(exactBody);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, exactBody(one)]));
}
