import type { ParquetParsers, SchemaElement, SchemaTree } from 'hyparquet';
import { decimalText, timestampText } from '../../columns/index.ts';
import { clampMicros, microsOfDays } from '../values.ts';
import { floorDivide, unscaled } from './integers.ts';
import { scaleOf } from './types.ts';

/** Times inside nested values as texts, without a passage through dates of milliseconds. */
export const nestedParsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (millis) => timestampText(clampMicros(millis * 1000n)),
  timestampFromMicroseconds: (micros) => timestampText(clampMicros(micros)),
  timestampFromNanoseconds: (nanos) => timestampText(clampMicros(floorDivide(nanos, 1000n))),
  dateFromDays: (days) => timestampText(microsOfDays(days)).slice(0, 10),
};

/** Leaves of nested columns keep the types that the reader converts exactly; decimals come raw, as integers or bytes. */
export function nestedElement(element: SchemaElement): SchemaElement {
  const { converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') {
    return { ...element, converted_type: undefined, logical_type: undefined };
  }
  return converted === 'ENUM' || converted === 'JSON'
    ? { ...element, converted_type: 'UTF8', logical_type: undefined }
    : element;
}

/** A nested value as JSON text: integers and decimals with all their digits, binary as base64. */
export function nestedText(value: unknown, tree: SchemaTree): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) {
    const element = elementOf(tree);
    return `[${value.map((item) => nestedText(item, element)).join(',')}]`;
  }
  if (value instanceof Uint8Array || typeof value !== 'object') return leafText(value, tree.element);
  const object = value as Record<string, unknown>;
  const inner = valueOfMap(tree);
  const members = inner
    ? Object.entries(object).map(([key, item]) => `${JSON.stringify(key)}:${nestedText(item, inner)}`)
    : tree.children.map(
        (child) => `${JSON.stringify(child.element.name)}:${nestedText(object[child.element.name], child)}`,
      );
  return `{${members.join(',')}}`;
}

function leafText(value: unknown, element: SchemaElement): string {
  const decimal = element.converted_type === 'DECIMAL' || element.logical_type?.type === 'DECIMAL';
  if (decimal) return decimalText(unscaled(value), scaleOf(element));
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  // JSON has neither NaN nor infinities.
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : `"${value}"`;
  return JSON.stringify(value);
}

function elementOf(tree: SchemaTree): SchemaTree {
  const [repeated] = tree.children;
  const list = tree.element.converted_type === 'LIST' || tree.element.logical_type?.type === 'LIST';
  if (!list || repeated === undefined) return tree;
  return repeated.children.length === 1 ? repeated.children[0]! : repeated;
}

function valueOfMap({ element, children }: SchemaTree): SchemaTree | undefined {
  const { converted_type: converted, logical_type: logical } = element;
  const map = converted === 'MAP' || converted === 'MAP_KEY_VALUE' || logical?.type === 'MAP';
  return map ? children[0]?.children[1] : undefined;
}
