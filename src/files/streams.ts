import { asOfMoment } from './moment.ts';
import { findGroup, listStreams, streamKey } from './listing.ts';
import type { FileGroup } from './listing.ts';
import type { Place } from './places/types.ts';
import { describeStream } from './sample.ts';
import type { FileSettings } from './settings.ts';
import type { FileStream, Selected, Surroundings } from './shapes.ts';

type StreamName = Pick<Selected, 'namespace' | 'name'>;

/** The streams of some places as they were when first asked for: each read of a session sees the same files. */
export interface Streams {
  all(signal: AbortSignal): Promise<readonly FileGroup[]>;
  /** Throws `object_missing` when the stream has no files. */
  find(stream: StreamName, signal: AbortSignal): Promise<FileGroup>;
  describe(group: FileGroup, signal: AbortSignal): Promise<FileStream>;
}

export interface SessionContext extends Surroundings {
  /** Of another session, whose files this one is to see. */
  readonly moment?: string;
}

/** What failed is asked again at the next use. */
export function createStreams(places: readonly Place[], settings: FileSettings, context: SessionContext): Streams {
  const { log, moment } = context;
  let listing: Promise<readonly FileGroup[]> | undefined;
  const described = new Map<string, Promise<FileStream>>();
  const all = (signal: AbortSignal): Promise<readonly FileGroup[]> => {
    listing ??= listStreams(places, settings, { log, signal });
    listing.catch(() => (listing = undefined));
    return listing;
  };
  return {
    all,
    async find(stream, signal) {
      const group = findGroup(await all(signal), stream);
      return moment === undefined ? group : asOfMoment(group, moment);
    },
    describe(group, signal) {
      const key = streamKey(group);
      const known = described.get(key) ?? describeStream(group, settings, { log, signal });
      described.set(key, known);
      known.catch(() => described.delete(key));
      return known;
    },
  };
}
