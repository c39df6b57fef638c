import { Failure } from '../../errors.ts';
import { addConnection, checkConnection, nameTaken, replaceConnection, saysTheSame } from './connection-writes.ts';
import type { CheckedConnection } from './connection-writes.ts';
import { findConnection, findConnectionByName } from './tables/connections.ts';
import type { ConnectionKind, DefinitionRooms, JobEndInput, Scope, Transaction } from './types.ts';

/** An end of a job after every check that needs no row: a row by its id, or a connection by its values. */
export type CheckedEnd = { readonly kind: ConnectionKind } & (
  | { readonly id: number; readonly checked?: undefined }
  | { readonly id?: undefined; readonly checked: CheckedConnection }
);

export interface PlacedEnd {
  readonly id: number;
  /** The row was there and what a sync reads from it is another now. */
  readonly changed: boolean;
}

/** Checks an end as a client sent it; `bad_request` names the missing or wrong field. */
export function checkEnd(rooms: DefinitionRooms, kind: ConnectionKind, input: JobEndInput): CheckedEnd {
  if (input.id !== undefined) {
    if (!Number.isSafeInteger(input.id) || input.id < 1) {
      throw new Failure('bad_request', `${kind}.id must be a positive integer`);
    }
    return { kind, id: input.id };
  }
  const { name, type, version, config } = input;
  const missing = Object.entries({ name, type, version, config }).find(([, value]) => value === undefined);
  if (missing || name === undefined || type === undefined || version === undefined) {
    throw new Failure('bad_request', `${kind}.${missing?.[0]} is required when ${kind}.id is absent`);
  }
  try {
    return { kind, checked: checkConnection(rooms, kind, { name, type, version, config }) };
  } catch (error) {
    if (error instanceof Failure && error.kind === 'bad_request') {
      throw new Failure('bad_request', `${kind}: ${error.message}`, { details: error.details });
    }
    throw error;
  }
}

/**
 * Finds, updates or creates the connection of a job's end, inside the job's transaction. A row given by id is used
 * untouched; one of the same name and type is reused, and updated when it says something else; another type under the
 * name is a `conflict`. `current` is the job's present connection: masks without a row of that name stand for its secrets.
 */
export async function placeEnd(
  rooms: DefinitionRooms,
  tx: Transaction,
  work: { readonly scope: Scope; readonly end: CheckedEnd; readonly current?: number },
): Promise<PlacedEnd> {
  const { scope, end, current } = work;
  const key = { project: scope.project, kind: end.kind };
  if (end.id !== undefined) {
    if (await findConnection(tx, { ...key, id: end.id, lock: true })) return { id: end.id, changed: false };
    throw new Failure('bad_request', `${end.kind}.id ${end.id} is no ${end.kind} of this project`);
  }
  const { checked } = end;
  const known = await findConnectionByName(tx, { ...key, name: checked.name, lock: true });
  if (!known) {
    const maskedFrom = current === undefined ? undefined : await findConnection(tx, { ...key, id: current });
    const added = await addConnection(rooms, tx, { scope, checked, ...(maskedFrom && { maskedFrom }) });
    if (added !== undefined) return { id: added, changed: false };
  }
  const row = known ?? (await findConnectionByName(tx, { ...key, name: checked.name, lock: true }));
  if (!row) throw nameTaken(end.kind, checked.name, scope.project);
  if (row.canonical_type !== checked.canonicalType) {
    throw new Failure('conflict', `${end.kind} '${checked.name}' exists with another type in project ${scope.project}`);
  }
  const id = row.id;
  if (saysTheSame(rooms, checked, row)) return { id, changed: false };
  return { id, changed: await replaceConnection(rooms, tx, { scope, checked, row }) };
}
