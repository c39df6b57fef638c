import type { Parameters } from '../../components/kit/index.ts';

/** What is shown in place of a secret. */
export const MASK = '********';

type Schema = Readonly<Record<string, unknown>>;

/** Where in parameters a secret stands, and what it is. */
export interface Secret {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/**
 * The parameters as people may see them, and what is hidden from them: every value below a key that begins with `#`, at any
 * depth, and every field that the schema marks as a password (5.7). Empty ones are no secrets.
 */
export function hideSecrets(
  parameters: Parameters,
  schema: Schema | undefined,
): { readonly masked: Parameters; readonly secrets: readonly Secret[] } {
  const secrets: Secret[] = [];
  return { masked: maskObject(parameters, { schema, path: [], secrets }), secrets };
}

/** As `hideSecrets`, for those who only ask whether there are any. */
export function maskParameters(
  parameters: Parameters,
  schema: Schema,
): { readonly masked: Parameters; readonly hasSecrets: boolean } {
  const { masked, secrets } = hideSecrets(parameters, schema);
  return { masked, hasSecrets: secrets.length > 0 };
}

/** The texts of all secrets: what must not appear in events and results. */
export function secretTextsOf(parameters: Parameters, schema: Schema): readonly string[] {
  return hideSecrets(parameters, schema).secrets.flatMap(({ value }) => textsOf(value));
}

export interface Masker {
  text(text: string): string;
  /** A copy of a JSON value with the mask in every text of it. */
  value(value: unknown): unknown;
}

/** Shorter ones would turn ordinary words into masks, and tell by that what they are. */
const SHORTEST_SECRET = 4;

/** Puts the mask wherever one of the texts appears. */
export function createMasker(texts: readonly string[]): Masker {
  // Also as it stands within JSON that is shown as a text.
  const forms = texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  const secrets = [...new Set(forms)].filter((text) => text.length >= SHORTEST_SECRET);
  secrets.sort((a, b) => b.length - a.length);
  const text = (shown: string): string => secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), shown);
  const value = (shown: unknown): unknown => {
    if (typeof shown === 'string') return text(shown);
    if (typeof shown === 'number') return secrets.includes(String(shown)) ? MASK : shown;
    if (Array.isArray(shown)) return shown.map(value);
    if (typeof shown !== 'object' || shown === null || shown instanceof Date) return shown;
    return Object.fromEntries(Object.entries(shown).map(([key, inner]) => [text(key), value(inner)]));
  };
  return { text, value: secrets.length === 0 ? (shown) => shown : value };
}

interface Walk {
  readonly schema: Schema | undefined;
  readonly path: Secret['path'];
  readonly secrets: Secret[];
}

function maskObject(value: Parameters, { schema, path, secrets }: Walk): Parameters {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const rule = ruleOf(schema, key);
      const below = [...path, key];
      if (!isSecret(key, inner, rule)) return [key, maskValue(inner, { schema: rule, path: below, secrets })];
      secrets.push({ path: below, value: inner });
      return [key, MASK];
    }),
  );
}

function maskValue(value: unknown, { schema, path, secrets }: Walk): unknown {
  if (Array.isArray(value)) {
    const rule = objectOf(schema?.['items']);
    return value.map((inner, index) => maskValue(inner, { schema: rule, path: [...path, index], secrets }));
  }
  return isObject(value) ? maskObject(value, { schema, path, secrets }) : value;
}

function isSecret(key: string, value: unknown, rule: Schema | undefined): boolean {
  if (value === null || value === '' || value === undefined) return false;
  return key.startsWith('#') || rule?.['format'] === 'password' || rule?.['writeOnly'] === true;
}

/** The schema of a property, also where alternatives describe the object. */
function ruleOf(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema === undefined) return undefined;
  const properties = objectOf(schema['properties']);
  if (properties !== undefined && Object.hasOwn(properties, key)) return objectOf(properties[key]);
  const alternatives = ['oneOf', 'anyOf', 'allOf'].flatMap((word) => (schema[word] as Schema[] | undefined) ?? []);
  for (const alternative of alternatives) {
    const rule = ruleOf(objectOf(alternative), key);
    if (rule !== undefined) return rule;
  }
  return objectOf(schema['additionalProperties']);
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

function objectOf(value: unknown): Schema | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
