import { Failure } from '../../errors.ts';
import { checkVersion, connectorOf } from './checks.ts';
import { openConfig } from './connection-writes.ts';
import { readObjectForm } from './form.ts';
import { holdsMask, resolveMasks } from './masking.ts';
import { findConnection, findConnectionByName, type ConnectionRow } from './tables/connections.ts';
import { findJobRow } from './tables/jobs.ts';
import type { ConnectionKind, DefinitionRooms } from './types.ts';

/** A config that somebody wants to try out, and where the secrets behind its masks may be found. */
export interface ConfigAsk {
  readonly project: string;
  readonly kind: ConnectionKind;
  readonly type: string;
  readonly version?: string;
  readonly config: unknown;
  /** The connection that the config is a change of. */
  readonly id?: number;
  /** A job one of whose ends it is. */
  readonly jobId?: number;
  readonly name?: string;
}

export interface ResolvedConfig {
  /** Canonical connector type. */
  readonly type: string;
  readonly config: Record<string, unknown>;
}

/** The config with its secrets; `bad_request` when it is masked and no stored connection fits. */
export async function resolveConfig(rooms: DefinitionRooms, ask: ConfigAsk): Promise<ResolvedConfig> {
  const connector = connectorOf(rooms.connectors, ask.kind, ask.type);
  if (ask.version !== undefined && ask.version !== '') checkVersion(ask.version, 'version');
  const { value } = readObjectForm(ask.config, 'config');
  const schema = connector.spec().jsonschema;
  if (!holdsMask(value, schema)) return { type: connector.type, config: value };
  const row = await findStored(rooms, ask);
  if (row?.canonical_type !== connector.type) {
    throw new Failure('bad_request', `config is masked and no stored ${ask.kind} of this type belongs to it`);
  }
  return { type: connector.type, config: resolveMasks(value, openConfig(rooms, row), schema) };
}

async function findStored(rooms: DefinitionRooms, ask: ConfigAsk): Promise<ConnectionRow | undefined> {
  const { db } = rooms.store;
  const key = { project: ask.project, kind: ask.kind };
  if (ask.id !== undefined && ask.id > 0) return findConnection(db, { ...key, id: ask.id });
  if (ask.jobId !== undefined && ask.jobId > 0) {
    const job = await findJobRow(db, ask.project, ask.jobId);
    const id = ask.kind === 'source' ? job?.source_id : job?.destination_id;
    if (id !== undefined) return findConnection(db, { ...key, id: Number(id) });
  }
  return ask.name === undefined ? undefined : findConnectionByName(db, { ...key, name: ask.name.trim() });
}
