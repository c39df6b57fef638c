import { Failure } from '../../errors.ts';
import { isStorable } from './json.ts';
import { findSettings, putSettings } from './tables/settings.ts';
import type { DefinitionRooms, Scope } from './types.ts';

export interface ProjectSettings {
  /** 0 while nothing was ever written. */
  readonly id: number;
  /** Empty = no alerts. */
  readonly webhookAlertUrl: string;
}

export interface SettingsDesk {
  get(project: string): Promise<ProjectSettings>;
  /** An empty URL switches alerts off; anything but http and https is `bad_request`. */
  put(scope: Scope, webhookAlertUrl: string): Promise<ProjectSettings>;
}

export function createSettings(rooms: DefinitionRooms): SettingsDesk {
  return {
    async get(project) {
      const row = await findSettings(rooms.store.db, project);
      return row ? { id: row.id, webhookAlertUrl: row.webhook_alert_url } : { id: 0, webhookAlertUrl: '' };
    },
    async put(scope, webhookAlertUrl) {
      checkUrl(webhookAlertUrl);
      const { project, actor } = scope;
      return rooms.store.transaction(async (tx) => {
        const row = { project, webhook_alert_url: webhookAlertUrl, updated_by: actor.principal.username };
        const id = await putSettings(tx, row);
        await rooms.access.audit(tx, { ...actor, action: 'update settings', project, subject: `sync.settings/${id}` });
        return { id, webhookAlertUrl };
      });
    },
  };
}

function checkUrl(text: string): void {
  if (text === '') return;
  const fits =
    text.length <= 2000 &&
    isStorable(text) &&
    URL.canParse(text) &&
    ['http:', 'https:'].includes(new URL(text).protocol);
  if (!fits) throw new Failure('bad_request', 'webhook_alert_url must be an http or https URL, or empty');
}
