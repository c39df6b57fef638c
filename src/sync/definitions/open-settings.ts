import { Failure } from '../../errors.ts';
import { openConfig } from './connection-writes.ts';
import { findConnectionById } from './tables/connections.ts';
import type { ConnectionKind, DefinitionRooms } from './types.ts';

/** A connection's type and its config in the clear. For use inside this server only; it is shown to nobody. */
export interface OpenSettings {
  readonly type: string;
  readonly config: unknown;
}

/** The connection of any project with this id; `not_found` when there is none. */
export async function openSettings(rooms: DefinitionRooms, kind: ConnectionKind, id: number): Promise<OpenSettings> {
  const row = await findConnectionById(rooms.store.db, kind, id);
  if (row === undefined) throw new Failure('not_found', `There is no ${kind} ${id}`);
  return { type: row.canonical_type, config: openConfig(rooms, row) };
}
