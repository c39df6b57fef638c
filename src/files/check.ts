import { Failure } from '../errors.ts';
import { listStreams } from './listing.ts';
import type { Place } from './places/types.ts';
import { withFile } from './read.ts';
import type { FileSettings } from './settings.ts';
import type { Surroundings } from './shapes.ts';

/** Lists the places and opens one file. A place without files is no failure, but is told. */
export async function checkFiles(
  places: readonly Place[],
  settings: FileSettings,
  { log, signal }: Surroundings,
): Promise<void> {
  const groups = await listStreams(places, settings, { log, signal });
  const files = groups.flatMap((group) => group.files);
  log({ level: 'info', message: `${files.length} files in ${groups.length} streams` });
  const [first] = files;
  if (first === undefined) {
    log({ level: 'warn', message: 'no file is there to be read; check path, pattern and format' });
    return;
  }
  await withFile(first, signal, async (opened) => {
    for await (const piece of opened.stream()) {
      log({ level: 'info', message: `${first.location} can be read (${piece.length} bytes of ${first.bytes})` });
      return;
    }
  }).catch((error: unknown) => {
    // A file that changes right now is no fault of the configuration.
    if (!(error instanceof Failure) || error.kind !== 'connection_lost') throw error;
    log({ level: 'warn', message: error.message });
  });
}
