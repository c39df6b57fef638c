import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import type { ConnectorSpec } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { FailureDetail } from '../../errors.ts';

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
const validators = new Map<string, ValidateFunction>();

/**
 * Throws `configuration_invalid` that names every wrong field, unless the config fits the connector's schema. `name`
 * tells schemas apart (type and catalog): each is compiled once per process.
 */
export function checkConfig(name: string, spec: ConnectorSpec, config: unknown): void {
  const text = JSON.stringify(spec.jsonschema);
  const key = `${name} ${text.length} ${text}`;
  let validate = validators.get(key);
  if (!validate) validators.set(key, (validate = ajv.compile(spec.jsonschema)));
  if (validate(config)) return;
  const details = describe(validate.errors ?? []);
  const sentence = details.map(({ field, reason }) => `${field} ${reason}`).join('; ');
  throw new Failure('configuration_invalid', `${name}: ${sentence}`, { details });
}

/** Values never appear: a wrong one may be a secret in the wrong field. */
function describe(errors: NonNullable<ValidateFunction['errors']>): FailureDetail[] {
  const details = new Map<string, FailureDetail>();
  const own = ofChosenBranches(errors);
  for (const { keyword, instancePath, params, message } of own) {
    // These only sum up the errors of their branches.
    if (['if', 'oneOf', 'anyOf'].includes(keyword) && own.length > 1) continue;
    const missing = keyword === 'required' ? [String(params['missingProperty'])] : [];
    const field = [...instancePath.split('/').slice(1), ...missing].join('.') || 'config';
    const allowed = params['allowedValues'] as unknown[] | undefined;
    const reason = missing.length > 0 ? 'is required' : allowed ? `must be one of ${allowed.join(', ')}` : `${message}`;
    details.set(field, details.get(field) ?? { field, reason });
  }
  return [...details.values()];
}

const BRANCH = /^.*\/oneOf\/\d+\//;

/** Without what branches say that another value of their discriminator chooses. Where none is chosen, all speak. */
function ofChosenBranches(errors: NonNullable<ValidateFunction['errors']>): NonNullable<ValidateFunction['errors']> {
  const others = errors.flatMap(({ keyword, schemaPath }) => (keyword === 'const' && BRANCH.exec(schemaPath)) || []);
  const own = errors.filter(({ schemaPath }) => !others.some((branch) => schemaPath.startsWith(branch)));
  return own.some(({ keyword }) => keyword !== 'oneOf') ? own : errors;
}
