import type { TableMetadata } from '../../iceberg/model.ts';

/** A table in the middle of a commit. */
export interface Draft {
  readonly metadata: TableMetadata;
  /** What "the last one added" means in this commit. */
  readonly lastSchema?: number;
  readonly lastSpec?: number;
  readonly lastOrder?: number;
  readonly now: number;
}
