import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import type { ComponentSpec, Parameters } from '../../components/kit/index.ts';
import { Failure } from '../../errors.ts';
import { hideSecrets, MASK } from './secrets.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a start says of the parameters: the body of `/components/{id}/run`, of a task, or of `/docker/…`. */
export interface Asked {
  readonly parameters: Parameters;
  /** The saved configuration that was named; null when none was. */
  readonly config: string | null;
}

/**
 * The parameters of a bare body; `config` and `configData` in it are understood where the component has no parameters of
 * these names. Throws `bad_request` in the words of 8.4.
 */
export function readParameters(spec: ComponentSpec, body: Json): Asked {
  const own = propertiesOf(spec);
  const isOwn = (name: string): boolean => Object.hasOwn(own, name);
  const { config, configData, ...rest } = body;
  const direct: Record<string, unknown> = { ...rest };
  if (isOwn('config') && config !== undefined) direct['config'] = config;
  if (isOwn('configData') && configData !== undefined) direct['configData'] = configData;
  const data = isOwn('configData') ? undefined : configData;
  const reference = isOwn('config') ? undefined : config;
  const parameters = { ...direct, ...readConfigData(data), ...readReference(spec, reference) };
  const named = spec.configParameter === undefined ? undefined : parameters[spec.configParameter];
  return { parameters, config: typeof named === 'string' || typeof named === 'number' ? String(named) : null };
}

/** As `readParameters`, for a body that must have `config` or `configData`, and may have `row`; all else is ignored. */
export function readEnvelope(spec: ComponentSpec, body: Json): Asked {
  const { config, configData, row } = body;
  const given = (value: unknown): boolean => value !== undefined && value !== null;
  if (!given(config) && !given(configData)) throw refused("Specify 'config' or 'configData'.");
  if (given(row) && !given(config)) throw refused("Specify 'config' together with 'row'.");
  if (given(row) && !isScalar(row)) throw refused("Parameter 'row' must be a string or a number");
  if (Object.hasOwn(propertiesOf(spec), 'config')) {
    const parameters = { ...readConfigData(configData), ...(given(config) && { config: readScalar(config) }) };
    return { parameters, config: null };
  }
  return readParameters(spec, { ...(given(configData) && { configData }), ...(given(config) && { config }) });
}

function readConfigData(data: unknown): Json {
  if (data === undefined || data === null || (Array.isArray(data) && data.length === 0)) return {};
  if (!isObject(data)) throw refused("Parameter 'configData' must be an object");
  const inner = data['parameters'];
  if (inner === undefined) return data;
  if (Array.isArray(inner) && inner.length === 0) return {};
  if (!isObject(inner)) throw refused("Parameter 'configData.parameters' must be an object");
  return inner;
}

function readReference(spec: ComponentSpec, config: unknown): Json {
  if (config === undefined || config === null) return {};
  const value = readScalar(config);
  const name = spec.configParameter;
  if (name === undefined) throw refused(`Component '${spec.id}' has no saved configurations; use 'configData'.`);
  const rule = propertiesOf(spec)[name] as { type?: unknown } | undefined;
  const isNumber = rule?.type === 'integer' || rule?.type === 'number';
  if (isNumber && typeof value === 'string' && /^\d{1,15}$/.test(value)) return { [name]: Number(value) };
  return { [name]: rule?.type === 'string' ? String(value) : value };
}

function readScalar(value: unknown): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw refused("Parameter 'config' must be a string or a number");
}

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
const validators = new WeakMap<ComponentSpec, ValidateFunction>();

/** Throws `bad_request` naming the first wrong parameter; never its value, which may be a secret in the wrong place. */
export function checkParameters(spec: ComponentSpec, parameters: Parameters): void {
  let validate = validators.get(spec);
  if (validate === undefined) validators.set(spec, (validate = ajv.compile(spec.schema)));
  if (!validate(parameters)) throw refused(describe(validate.errors ?? [], spec));
  const masked = hideSecrets(parameters, spec.schema).secrets.find(({ value }) => value === MASK);
  if (masked) throw refused(`Parameter '${masked.path.join('.')}' is masked; send the real value`);
  spec.check?.(parameters);
}

function describe(errors: readonly ErrorObject[], spec: ComponentSpec): string {
  const surplus = errors.find((error) => error.keyword === 'additionalProperties' && error.instancePath === '');
  if (surplus !== undefined) {
    const allowed = Object.keys(propertiesOf(spec)).toSorted().join(', ');
    return `Parameter '${surplus.params['additionalProperty']}' is not allowed. Allowed params are ${allowed}`;
  }
  const error = errors.find(({ keyword }) => !['if', 'oneOf', 'anyOf', 'allOf'].includes(keyword)) ?? errors[0];
  const path = (error?.instancePath ?? '').split('/').slice(1);
  const stranger: unknown = error?.params['additionalProperty'];
  if (typeof stranger === 'string') return `Parameter '${[...path, stranger].join('.')}' is not allowed`;
  const missing: unknown = error?.params['missingProperty'];
  const name = [...path, ...(typeof missing === 'string' ? [missing] : [])].join('.');
  const allowed = error?.params['allowedValues'] as unknown[] | undefined;
  const reason =
    missing !== undefined ? 'is required' : allowed ? `must be one of ${allowed.join(', ')}` : (error?.message ?? '');
  return `Parameter '${name}' ${reason}`;
}

function propertiesOf(spec: ComponentSpec): Json {
  const properties = spec.schema['properties'];
  return isObject(properties) ? properties : {};
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(message: string): Failure {
  return new Failure('bad_request', message);
}
