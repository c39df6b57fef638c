import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../errors.ts';
import { cleanName, checkVersion, connectorOf } from './checks.ts';
import { readObjectForm } from './form.ts';
import { parseJson } from './json.ts';
import { maskSecrets, resolveMasks } from './masking.ts';
import * as connections from './tables/connections.ts';
import type { ConnectionRow, ConnectionValues } from './tables/connections.ts';
import type { ConnectionInput, ConnectionKind, DefinitionRooms, JsonForm, Scope, Transaction } from './types.ts';

type Json = Record<string, unknown>;
type Schema = Readonly<Record<string, unknown>>;

/** A connection's values after every check that needs no row. Masks are still masks. */
export interface CheckedConnection {
  readonly kind: ConnectionKind;
  readonly name: string;
  readonly type: string;
  readonly canonicalType: string;
  readonly version: string;
  readonly form: JsonForm;
  readonly text: string;
  readonly config: Json;
  readonly schema: Schema;
}

/** Checks name, type, version and config; `bad_request` names the field. */
export function checkConnection(
  rooms: DefinitionRooms,
  kind: ConnectionKind,
  input: ConnectionInput,
): CheckedConnection {
  const connector = connectorOf(rooms.connectors, kind, input.type);
  checkVersion(input.version, 'version');
  const { form, text, value } = readObjectForm(input.config, 'config');
  return {
    kind,
    name: cleanName(input.name, 'name'),
    type: input.type,
    canonicalType: connector.type,
    version: input.version,
    form,
    text,
    config: value,
    schema: connector.spec().jsonschema,
  };
}

/** The config of a row with its secrets, as it was written. */
export function openConfig(rooms: DefinitionRooms, row: ConnectionRow): Json {
  return parseJson(rooms.access.secrets.open(row.sealed_config, row.place), 'stored config') as Json;
}

/** Writes a new live row and answers its id; `undefined` when a live row has the name. */
export async function addConnection(
  rooms: DefinitionRooms,
  tx: Transaction,
  write: { readonly scope: Scope; readonly checked: CheckedConnection; readonly maskedFrom?: ConnectionRow },
): Promise<number | undefined> {
  const { scope, checked, maskedFrom } = write;
  const place = `connection/${scope.project}/${rooms.world.random(12).toString('hex')}`;
  const same = maskedFrom?.canonical_type === checked.canonicalType ? maskedFrom : undefined;
  const values = sealValues(rooms, { scope, checked, place, stored: same && openConfig(rooms, same) });
  const id = await connections.insertConnection(tx, { ...values, project: scope.project, kind: checked.kind, place });
  if (id !== undefined) await auditConnection(rooms, tx, { scope, action: `create ${checked.kind}`, id });
  return id;
}

/** Replaces the values of a locked row. Answers whether what a sync reads (type or config) changed. */
export async function replaceConnection(
  rooms: DefinitionRooms,
  tx: Transaction,
  write: { readonly scope: Scope; readonly checked: CheckedConnection; readonly row: ConnectionRow },
): Promise<boolean> {
  const { scope, checked, row } = write;
  const stored = openConfig(rooms, row);
  const values = sealValues(rooms, { scope, checked, place: row.place, stored });
  await connections.updateConnection(tx, row.id, values);
  await auditConnection(rooms, tx, { scope, action: `update ${checked.kind}`, id: row.id });
  const now = resolveMasks(checked.config, stored, checked.schema);
  return row.canonical_type !== checked.canonicalType || !isDeepStrictEqual(plain(now), plain(stored));
}

/** True when a row already says what was checked, apart from its secrets being masked. */
export function saysTheSame(rooms: DefinitionRooms, checked: CheckedConnection, row: ConnectionRow): boolean {
  const stored = openConfig(rooms, row);
  const now = resolveMasks(checked.config, stored, checked.schema);
  return (
    row.version === checked.version &&
    row.type === checked.type &&
    row.config_form === checked.form &&
    JSON.stringify(now) === JSON.stringify(stored)
  );
}

/** Writes the audit row of a change to a connection. */
export async function auditConnection(
  rooms: DefinitionRooms,
  tx: Transaction,
  entry: { readonly scope: Scope; readonly action: string; readonly id: number },
): Promise<void> {
  const { actor, project } = entry.scope;
  await rooms.access.audit(tx, { ...actor, action: entry.action, project, subject: `sync.connection/${entry.id}` });
}

export function nameTaken(kind: string, name: string, project: string): Failure {
  return new Failure('conflict', `${kind} name '${name}' is not unique in project ${project}`);
}

interface SealWork {
  readonly scope: Scope;
  readonly checked: CheckedConnection;
  readonly place: string;
  readonly stored: Json | undefined;
}

function sealValues(rooms: DefinitionRooms, { scope, checked, place, stored }: SealWork): ConnectionValues {
  const resolved = resolveMasks(checked.config, stored, checked.schema);
  return {
    name: checked.name,
    type: checked.type,
    canonical_type: checked.canonicalType,
    version: checked.version,
    sealed_config: rooms.access.secrets.seal(JSON.stringify(resolved), place),
    shown_config: JSON.stringify(maskSecrets(resolved, checked.schema)),
    config_form: checked.form,
    updated_by: scope.actor.principal.username,
  };
}

/** Without raw numbers, so that a deep comparison sees values only. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
