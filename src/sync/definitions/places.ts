import type { TablePlace } from '../../connectors/kit/index.ts';
import { openConfig } from './connection-writes.ts';
import { listConnections, type ConnectionRow } from './tables/connections.ts';
import type { DefinitionRooms } from './types.ts';

/**
 * Where the live destinations of a project keep tables of the Iceberg kind, and what reaches their files. A destination
 * whose config is not complete yet has no place.
 */
export async function listPlaces(rooms: DefinitionRooms, project: string): Promise<TablePlace[]> {
  const { items } = await listConnections(rooms.store.db, { project, kind: 'destination', offset: 0 });
  return items.flatMap((row) => placeOf(rooms, row) ?? []);
}

function placeOf(rooms: DefinitionRooms, row: ConnectionRow): TablePlace | undefined {
  try {
    const connector = rooms.connectors.findDestination(row.canonical_type);
    return connector.placeOf?.(openConfig(rooms, row), rooms.world);
  } catch {
    return undefined;
  }
}
