import { Failure } from '../../errors.ts';

export const readText = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

export const isTrue = (value: unknown): boolean => value === true || value === 'true';

/** A `configuration_invalid` that names the field. */
export function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', reason, { details: [{ field, reason }] });
}
