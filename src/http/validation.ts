import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';
import { Failure } from '../errors.ts';

const PARTS: Readonly<Record<string, string>> = { querystring: 'query parameter ', params: 'path parameter ' };

/**
 * Validators that turn a broken rule into a `bad_request` naming the field. Compiled at their first use, which keeps
 * them out of the start. Text becomes numbers and booleans in paths and queries only; a body has to have real types.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  let strict: Ajv | undefined;
  let coercing: Ajv | undefined;
  return ({ schema, httpPart }) => {
    let validate: ValidateFunction | undefined;
    return (value: unknown) => {
      validate ??= (httpPart === 'body' ? (strict ??= createAjv(false)) : (coercing ??= createAjv(true))).compile(
        schema,
      );
      if (validate(value)) return { value };
      return { error: describe(validate.errors?.[0], PARTS[httpPart ?? ''] ?? '') };
    };
  };
}

function createAjv(coerceTypes: boolean): Ajv {
  const ajv = new Ajv({ strict: false, useDefaults: true, coerceTypes });
  // The package is CommonJS whose default export sits one level deeper for some loaders.
  (formats as unknown as { default?: typeof formats.default }).default?.(ajv);
  return ajv;
}

function describe(error: ErrorObject | undefined, part: string): Failure {
  const path = error?.instancePath.slice(1).split('/').map(unescapePointer) ?? [];
  const missing: unknown = error?.params?.missingProperty;
  const field = [...path, ...(typeof missing === 'string' ? [missing] : [])].filter((name) => name !== '').join('.');
  const reason = missing === undefined ? sayRule(error) : 'is required';
  const shown = field === '' ? 'The request body' : `${part}${field}`;
  return new Failure('bad_request', `${shown} ${reason}`, { details: [{ field: field || 'body', reason }] });
}

function sayRule(error: ErrorObject | undefined): string {
  if (error?.keyword === 'enum') return `must be one of ${(error.params.allowedValues as unknown[]).join(', ')}`;
  if (error?.keyword === 'const') return `must be ${JSON.stringify(error.params.allowedValue)}`;
  if (error?.keyword === 'type' && error.instancePath === '') return 'must be a JSON object';
  return error?.message ?? 'is not valid';
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
