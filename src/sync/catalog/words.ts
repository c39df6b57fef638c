import type { ColumnType } from '../../columns/index.ts';

/** The catalog's word for a lake type (OLake contract, section 5.4). */
export function catalogWord(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return 'integer_small';
    case 'long':
      return 'integer';
    case 'float':
      return 'number_small';
    case 'double':
      return 'number';
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`;
    case 'timestamp':
      return 'timestamp_micro';
    default:
      return type.kind;
  }
}
