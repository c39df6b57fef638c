import type { Column } from '../../../columns/index.ts';
import type { DiscoveredStream } from '../../../connectors/kit/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import { resolveStream, streamId } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import type { Catalog } from '../../types.ts';

export interface Resolving {
  readonly catalog: Catalog;
  readonly discovered: readonly DiscoveredStream[];
  /** Columns of the source's change log, when it reads one. */
  readonly log: readonly Column[] | undefined;
  /** Only these streams; all selected ones when absent. */
  readonly only?: ReadonlySet<string>;
  warn(message: string): void;
}

/** The selected streams that can be synced; the others are skipped with a warning. Throws when none is left. */
export function resolveAll({ catalog, discovered, log, only, warn }: Resolving): ResolvedStream[] {
  const present = new Map(discovered.map((stream) => [streamId(stream), stream]));
  const entries = new Map(catalog.streams.map((entry) => [streamId(entry.stream), entry]));
  const resolved: ResolvedStream[] = [];
  let selected = 0;
  for (const [namespace, selections] of Object.entries(catalog.selected_streams)) {
    for (const selection of selections.filter((candidate) => candidate.disabled !== true)) {
      const id = streamId({ namespace, name: selection.stream_name });
      if (only && !only.has(id)) continue;
      selected++;
      const entry = entries.get(id);
      const stream = present.get(id);
      try {
        if (!entry) throw new Failure('object_missing', `stream ${id} is selected but not in the catalog`);
        if (!stream) throw new Failure('object_missing', `stream ${id} is not in the source any more`);
        resolved.push(resolveStream({ selection, entry, log }, stream));
      } catch (error) {
        // A wrong partition pattern would write files to wrong places for good: that ends the run before reading.
        if (selection.partition_regex && toFailure(error).message.includes('has no column')) throw error;
        warn(`skipped: ${toFailure(error).message}`);
      }
    }
  }
  if (resolved.length > 0) return resolved;
  throw new Failure('object_missing', selected === 0 ? 'no stream is selected' : 'no selected stream can be synced');
}

/** Streams that are read from the change log, as opposed to those whose rows are selected. */
export function isFollowed({ mode }: ResolvedStream): boolean {
  return mode === 'cdc' || mode === 'strict_cdc';
}
