type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const exactJson = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
};

/** Parses JSON; a number that a double cannot hold becomes a raw JSON value, which is written as it was read. */
export function parseExactly(text: string): unknown {
  return exactJson.parse(text, (_key, inner, { source }) => {
    if (typeof inner !== 'number' || source === undefined || String(inner) === source) return inner;
    return exactJson.rawJSON(source);
  });
}

/** A raw JSON value that holds this number. */
export function rawNumber(text: string): unknown {
  return exactJson.rawJSON(text);
}

/** The text of a raw JSON value; undefined for every other value. */
export function rawText(value: unknown): string | undefined {
  return exactJson.isRawJSON(value) ? value.rawJSON : undefined;
}
