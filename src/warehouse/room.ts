import { createNamespaces } from './namespaces.ts';
import { createTables } from './tables.ts';
import type { Warehouse, WarehouseRooms } from './types.ts';

/** Opens the built-in catalogs of all projects. */
export function createWarehouse(rooms: WarehouseRooms): Warehouse {
  return { ...createNamespaces(rooms), ...createTables(rooms) };
}
