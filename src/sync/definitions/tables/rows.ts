import type { Generated, Kysely } from 'kysely';
import type { Queryable } from '../../../store/index.ts';
import type { JsonForm, ConnectionKind } from '../types.ts';

export interface ConnectionTable {
  id: Generated<string>;
  project: string;
  kind: ConnectionKind;
  name: string;
  type: string;
  canonical_type: string;
  version: string;
  place: string;
  sealed_config: string;
  shown_config: string;
  config_form: JsonForm;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
  created_by: string;
  updated_by: string;
  deleted_at: Date | null;
}

export interface JobTable {
  id: Generated<string>;
  project: string;
  name: string;
  source_id: string;
  destination_id: string;
  frequency: string;
  active: boolean;
  streams_config: string;
  streams_form: JsonForm;
  state: Generated<string>;
  advanced_settings: string | null;
  last_run_id: string | null;
  last_run_queued_at: Date | null;
  last_run_time: Date | null;
  last_run_state: string | null;
  last_run_type: string | null;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
  created_by: string;
  updated_by: string;
  deleted_at: Date | null;
}

export interface ProjectSettingsTable {
  id: Generated<string>;
  project: string;
  webhook_alert_url: string;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
  created_by: string;
  updated_by: string;
}

interface SyncTables {
  connection: ConnectionTable;
  job: JobTable;
  project_settings: ProjectSettingsTable;
}

/** The tables of this room with the narrow types that their check constraints promise. */
export function tablesOf(queryable: Queryable): Kysely<SyncTables> {
  return queryable as unknown as Kysely<SyncTables>;
}
