import { Failure } from '../../errors.ts';
import { isObject } from './json.ts';

/** What reads show in place of a secret; a write that sends it keeps the stored value. */
export const MASK = '********';

type Schema = Readonly<Record<string, unknown>>;
type Json = Record<string, unknown>;

const SECRET_WORDS =
  /password|passwd|passphrase|secret|privatekey|clientkey|token|credential|sasljaasconfig|serviceaccount|authorization|apikey/;
const URL_PASSWORD = /^((?:[a-z][a-z0-9+.-]*:)+\/\/[^\s:@/?#]*:)([^\s/?#]+)@/i;
const QUERY_PASSWORD =
  /([?&;](?:password|passwd|pwd|secret|token|access_token|sig|signature|x-amz-signature|x-amz-security-token)=)([^&;\s]+)/gi;

/** A copy of the config in which every non-empty secret is the mask. */
export function maskSecrets(config: Json, schema: Schema): Json {
  return maskObject(config, [schema]);
}

/**
 * A copy of the config in which every mask that stands for a secret is the stored value of the same place. A mask
 * without a stored value is `bad_request`: there is nothing that it could stand for.
 */
export function resolveMasks(config: Json, stored: Json | undefined, schema: Schema): Json {
  return resolveObject(config, { stored: stored ?? {}, schemas: [schema], path: 'config' });
}

/** True when some secret of the config is the mask. */
export function holdsMask(config: Json, schema: Schema): boolean {
  try {
    resolveMasks(config, undefined, schema);
    return false;
  } catch {
    return true;
  }
}

function maskObject(value: Json, schemas: readonly Schema[]): Json {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const below = propertySchemas(schemas, key);
      return [key, isSecret(key, inner, below) ? MASK : maskValue(inner, below)];
    }),
  );
}

function maskValue(value: unknown, schemas: readonly Schema[]): unknown {
  if (typeof value === 'string') return maskUrl(value);
  if (Array.isArray(value)) return value.map((inner) => maskValue(inner, itemSchemas(schemas)));
  return isObject(value) ? maskObject(value, schemas) : value;
}

function maskUrl(text: string): string {
  return text.replace(URL_PASSWORD, `$1${MASK}@`).replace(QUERY_PASSWORD, `$1${MASK}`);
}

interface Place {
  readonly stored: unknown;
  readonly schemas: readonly Schema[];
  readonly path: string;
}

function resolveObject(value: Json, place: Place): Json {
  const stored = isObject(place.stored) ? place.stored : {};
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const schemas = propertySchemas(place.schemas, key);
      const below = {
        stored: Object.hasOwn(stored, key) ? stored[key] : undefined,
        schemas,
        path: `${place.path}.${key}`,
      };
      if (inner !== MASK || !isSecret(key, inner, schemas)) return [key, resolveValue(inner, below)];
      if (below.stored === undefined) throw nothingStored(below.path);
      return [key, below.stored];
    }),
  );
}

function resolveValue(value: unknown, place: Place): unknown {
  if (typeof value === 'string') return value.includes(MASK) ? resolveUrl(value, place) : value;
  if (Array.isArray(value)) {
    const stored = Array.isArray(place.stored) ? place.stored : [];
    const schemas = itemSchemas(place.schemas);
    return value.map((inner, index) =>
      resolveValue(inner, { stored: stored[index], schemas, path: `${place.path}[${index}]` }),
    );
  }
  return isObject(value) ? resolveObject(value, place) : value;
}

function resolveUrl(text: string, place: Place): string {
  if (maskUrl(text) !== text || !(URL_PASSWORD.test(text) || text.search(QUERY_PASSWORD) >= 0)) return text;
  const stored = typeof place.stored === 'string' ? place.stored : undefined;
  if (stored === undefined) throw nothingStored(place.path);
  const query = [...stored.matchAll(QUERY_PASSWORD)].map((match) => match[2] ?? '');
  const inPath = URL_PASSWORD.exec(stored)?.[2];
  return text
    .replace(URL_PASSWORD, (_all, head: string) => {
      if (inPath === undefined) throw nothingStored(place.path);
      return `${head}${inPath}@`;
    })
    .replace(QUERY_PASSWORD, (_all, head: string) => {
      const secret = query.shift();
      if (secret === undefined) throw nothingStored(place.path);
      return `${head}${secret}`;
    });
}

function nothingStored(path: string): Failure {
  return new Failure('bad_request', `${path} is masked and no stored value belongs to it; send the real value`);
}

function isSecret(key: string, value: unknown, schemas: readonly Schema[]): boolean {
  if (value === '' || value === null || value === undefined || typeof value === 'boolean') return false;
  if (schemas.some((schema) => schema['format'] === 'password' || schema['writeOnly'] === true)) return true;
  if (typeof value === 'object' && schemas.length > 0) return false;
  return SECRET_WORDS.test(key.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
}

/** Every schema that may describe property `key`, through the alternatives and conditions of a JSON Schema. */
function propertySchemas(schemas: readonly Schema[], key: string): Schema[] {
  const found: Schema[] = [];
  for (const schema of schemas.flatMap(alternatives)) {
    const properties = schema['properties'];
    const others = schema['additionalProperties'];
    if (isObject(properties) && Object.hasOwn(properties, key)) {
      if (isObject(properties[key])) found.push(properties[key]);
    } else if (isObject(others)) found.push(others);
  }
  return found;
}

function itemSchemas(schemas: readonly Schema[]): Schema[] {
  return schemas.flatMap(alternatives).flatMap((schema) => (isObject(schema['items']) ? [schema['items']] : []));
}

function alternatives(schema: Schema): Schema[] {
  const inner: unknown[] = [schema['if'], schema['then'], schema['else']];
  for (const word of ['oneOf', 'anyOf', 'allOf']) if (Array.isArray(schema[word])) inner.push(...schema[word]);
  for (const word of ['dependencies', 'dependentSchemas', '$defs'])
    if (isObject(schema[word])) inner.push(...Object.values(schema[word]));
  return [schema, ...inner.filter(isObject).flatMap(alternatives)];
}
