import { normalize } from 'node:path/posix';
import { Failure } from '../errors.ts';
import { isS3Path, localPath, type Storage } from '../lakehouse/index.ts';
import type { Place, WarehouseRooms } from './types.ts';

/** Where the tables of one project lie, and what reaches their files. */
export interface Places {
  readonly home: Place;
  /** The storage of a location; throws `bad_request` when tables of the project must not lie there. */
  open(location: string): Promise<Storage>;
  /** The storage of files of a table that the catalog has. */
  reach(location: string): Promise<Storage>;
}

/** Looks up the project's places when they are first needed, once. */
export function createPlaces(rooms: WarehouseRooms, project: string): Places {
  const home = rooms.homeOf(project);
  let further: Promise<readonly Place[]> | undefined;
  const find = async (location: string): Promise<Place | undefined> => {
    if (isBelow(location, home.root)) return home;
    further ??= rooms.placesOf(project);
    return (await further).find((place) => isBelow(location, place.root));
  };
  const checkLocal = (location: string): void => {
    if (!isS3Path(location)) rooms.checkFolder(project, localPath(location));
  };
  return {
    home,
    async open(location) {
      checkLength(location);
      const place = await find(location);
      if (!place) {
        throw new Failure('bad_request', `Tables of this project must not lie at ${location}.`, {
          advice: `Choose a location below ${home.root} or below the warehouse of an Iceberg destination.`,
        });
      }
      checkLocal(location);
      return place.storage;
    },
    async reach(location) {
      const place = await find(location);
      if (place) return place.storage;
      if (isS3Path(location)) {
        throw new Failure('configuration_invalid', `No Iceberg destination of this project reaches ${location}.`, {
          advice: 'Add an Iceberg destination whose warehouse holds the location.',
        });
      }
      // A folder that a destination had before: the sync that wrote the table was checked by the same rules.
      checkLocal(location);
      return home.storage;
    },
  };
}

const LONGEST_LOCATION = 900;
const LONGEST_PART_BYTES = 255;

/** A location with the name of a metadata file fits into the catalog's row, and each part of it on a disk. */
function checkLength(location: string): void {
  const parts = location.split('/');
  if (location.length <= LONGEST_LOCATION && parts.every((part) => Buffer.byteLength(part) <= LONGEST_PART_BYTES))
    return;
  throw new Failure('bad_request', 'The location of the table would be too long; choose shorter names.');
}

/** One spelling for each place: no scheme for local folders, no `..`, no doubled slash. */
function plain(location: string): string {
  if (!isS3Path(location)) return localPath(location).replace(/\/+$/, '');
  const path = location.replace(/^s3[an]?:\/\//i, '');
  return `s3://${normalize(path).replace(/\/+$/, '')}`;
}

/** Whether the location lies below the root, and is not the root itself. */
export function isBelow(location: string, root: string): boolean {
  if (location.includes('\0') || location.split('/').includes('..')) return false;
  try {
    return plain(location).startsWith(`${plain(root)}/`);
  } catch {
    return false;
  }
}
