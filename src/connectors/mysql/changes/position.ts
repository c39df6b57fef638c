import type { LogPosition } from '../../kit/index.ts';
import { comparePlaces, type LogPlace } from '../snapshot.ts';

/** `binlog.000003:1234`. */
export function printPosition({ file, offset }: LogPlace): LogPosition {
  return `${file}:${offset}`;
}

export function parsePosition(position: LogPosition): LogPlace {
  const at = position.lastIndexOf(':');
  const place = { file: position.slice(0, at), offset: Number(position.slice(at + 1)) };
  if (at < 1 || !isPlace(place.file, place.offset)) throw new TypeError(`"${position}" is no position in a binary log`);
  return place;
}

export function comparePositions(a: LogPosition, b: LogPosition): number {
  return comparePlaces(parsePosition(a), parsePosition(b));
}

/** The shape of the state file (OLake contract, section 5.5). */
export function positionToState(position: LogPosition, serverId: number): unknown {
  const { file, offset } = parsePosition(position);
  return { server_id: serverId, state: { position: { Name: file, Pos: offset } } };
}

export function positionFromState(state: unknown): LogPosition | undefined {
  const position = property(property(state, 'state'), 'position');
  const [file, offset] = [property(position, 'Name'), property(position, 'Pos')];
  if (typeof file !== 'string' || typeof offset !== 'number' || !isPlace(file, offset)) return undefined;
  return printPosition({ file, offset });
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isPlace(file: string, offset: number): boolean {
  return /\.\d+$/.test(file) && Number.isSafeInteger(offset) && offset >= 0;
}
