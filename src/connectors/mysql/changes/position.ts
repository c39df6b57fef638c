import { Failure } from '../../../errors.ts';
import type { LogPosition } from '../../kit/index.ts';
import { comparePlaces, type LogPlace } from '../snapshot.ts';
import { covers, isPartOf, LONGEST_GTIDS, parseGtids, printGtids, type Gtids } from './gtids.ts';

/** A place in the log of a server, and what it means on another one that replicates it. */
export interface ServerPlace extends LogPlace {
  /** Whose log it is; undefined in positions of earlier versions, which mean the server that is asked. */
  readonly server: string | undefined;
  /** Every transaction up to the place; undefined where the server does not number them. */
  readonly gtids: Gtids | undefined;
}

const POSITION = /^(.+\.\d+):(\d+)(?:\|([^|]*)(?:\|([^|]*))?)?$/s;

/** `binlog.000003:1234|server|gtids`; the last two may be absent. */
export function printPosition({ file, offset, server, gtids }: LogPlace & Partial<ServerPlace>): LogPosition {
  if (server === undefined) return `${file}:${offset}`;
  const numbers = gtids && printGtids(gtids);
  return [
    `${file}:${offset}`,
    server,
    ...(numbers !== undefined && numbers.length <= LONGEST_GTIDS ? [numbers] : []),
  ].join('|');
}

export function parsePosition(position: LogPosition): ServerPlace {
  const [whole, file = '', offset = '', server, numbers] = POSITION.exec(position) ?? [];
  const place = { file, offset: Number(offset) };
  if (whole === undefined || !isPlace(place.file, place.offset)) {
    throw new TypeError(`"${position}" is no position in a binary log`);
  }
  return { ...place, server, gtids: numbers === undefined ? undefined : parseGtids(numbers) };
}

/** True when the place is one of this server's own log. */
export function isOf({ server }: Pick<ServerPlace, 'server'>, other: string | undefined): boolean {
  return server === undefined || other === undefined || server === other;
}

/** What a server told of its log. */
export interface LogFacts {
  /** The earliest place that can be read from. */
  readonly start: ServerPlace;
  /** See `isPartOf`; undefined when the server does not number its transactions. */
  readonly history: string | undefined;
}

/** True when reading from there brings everything that came after it: the server wrote or took over what is known there, and still has the rest. */
export function isReadable(place: ServerPlace, { start, history }: LogFacts): boolean {
  if (place.gtids && history !== undefined && !isPartOf(place.gtids, history)) return false;
  if (isOf(place, start.server)) return comparePlaces(place, start) >= 0;
  return (
    place.gtids !== undefined && history !== undefined && start.gtids !== undefined && covers(place.gtids, start.gtids)
  );
}

/**
 * By place on one server, by global numbers between two. What cannot be read from any more, as far as `facts` tell, lies
 * before their start: so do positions of a server that went another way. What else cannot be decided is a `Failure`.
 */
export function comparePositions(a: LogPosition, b: LogPosition, facts?: LogFacts): number {
  if (a === b) return 0;
  const [first, second] = [parsePosition(a), parsePosition(b)];
  const start = facts && printPosition(facts.start);
  if (facts && b === start && !isReadable(first, facts)) return -1;
  if (facts && a === start && !isReadable(second, facts)) return 1;
  if (isOf(first, second.server)) return comparePlaces(first, second);
  const [holdsSecond, holdsFirst] =
    first.gtids && second.gtids
      ? [covers(first.gtids, second.gtids), covers(second.gtids, first.gtids)]
      : [false, false];
  if (holdsSecond || holdsFirst) return Number(holdsSecond) - Number(holdsFirst);
  throw new Failure(
    'object_missing',
    `the positions ${a} and ${b} are of different servers, and their GTIDs do not tell which one is later`,
    { advice: 'Clear the destination of the job, so that its tables are loaded anew.' },
  );
}

/** The shape of the state file (OLake contract, section 5.5), and the server that the place belongs to. */
export function positionToState(position: LogPosition, serverId: number): unknown {
  const { file, offset, server, gtids } = parsePosition(position);
  return {
    server_id: serverId,
    state: {
      position: { Name: file, Pos: offset },
      ...(gtids && { gtid_set: printGtids(gtids) }),
      ...(server !== undefined && { server }),
    },
  };
}

export function positionFromState(state: unknown): LogPosition | undefined {
  const inner = property(state, 'state');
  const position = property(inner, 'position');
  const [file, offset] = [property(position, 'Name'), property(position, 'Pos')];
  if (typeof file !== 'string' || typeof offset !== 'number' || !isPlace(file, offset)) return undefined;
  const [server, numbers] = [property(inner, 'server'), property(inner, 'gtid_set')];
  if (typeof server !== 'string' || server.includes('|')) return printPosition({ file, offset });
  return printPosition({ file, offset, server, gtids: typeof numbers === 'string' ? parseGtids(numbers) : undefined });
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isPlace(file: string, offset: number): boolean {
  return /\.\d+$/.test(file) && !file.includes('|') && Number.isSafeInteger(offset) && offset >= 0;
}
