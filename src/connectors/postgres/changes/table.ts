import type { ChangeStream, FilterCondition } from '../../kit/index.ts';
import type { Relation, RelationColumn } from '../catalog.ts';
import type { ChosenColumn } from '../selection.ts';
import type { WireColumn } from '../wire/decoder.ts';

/** A stream whose changes are read, with its table as the catalog has it now. */
export interface ChangeTable {
  /** Index into the streams of the read. */
  readonly index: number;
  readonly stream: ChangeStream;
  readonly relation: Relation;
  /** The selected columns in order: how they are asked for, and how they lie in a row. */
  readonly chosen: readonly ChosenColumn[];
  readonly fields: readonly WireColumn[];
  /** Fields that identify a row: the primary key, or all of them where there is none. */
  readonly keys: readonly number[];
  /** Columns that the server computes; the log may leave them out. */
  readonly generated: ReadonlySet<string>;
  readonly filter: readonly FilterTest[];
  /** False when a selected column has a type whose binary form is not read here. */
  readonly readsBinary: boolean;
}

/** A column as the log and the filter need it. */
export interface ColumnFacts {
  readonly name: string;
  readonly oid: number;
  readonly modifier: number;
  readonly isGenerated: boolean;
  /** The type without its modifier, and the collation that differs from the type's own, ready for a cast. */
  readonly cast: string;
}

/** One condition of a stream's filter, made ready for rows of the log. */
export interface FilterTest {
  readonly column: string;
  readonly source: RelationColumn;
  readonly field: WireColumn;
  readonly cast: string;
  /** Decides for a value that is there; undefined when only the server can compare values of this type. */
  readonly decide: ((text: string) => boolean) | undefined;
  readonly operator: FilterCondition['operator'];
  readonly isNullTest: boolean;
}
