import { Failure } from '../../../errors.ts';
import type { ProjectSettings } from '../../../sync/index.ts';
import { SettingsBody, UniqueBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { ref, Unique } from '../shapes/index.ts';

const PROJECT = '/api/v1/project/:projectid';

/** Names and settings of a project. */
export function projectRoutes({ sync }: FaceRooms): Route[] {
  const desks = { job: sync.jobs, source: sync.sources, destination: sync.destinations };
  return [
    route({
      methods: ['POST'],
      paths: [`${PROJECT}/check-unique`],
      role: 'viewer',
      summary: 'Whether a name is free; 409 says that it is taken',
      data: Unique,
      fails: [409],
      body: UniqueBody,
      async handle(call) {
        const { name, entity_type: entity } = call.body;
        const { project } = call.scope();
        if (name.trim() === '') throw new Failure('bad_request', 'name is empty');
        if (await desks[entity as keyof typeof desks].isNameTaken(project, name)) {
          throw new Failure('conflict', `${entity} name '${name}' is not unique in project ${project}`);
        }
        return { message: 'name is unique', data: { unique: true } };
      },
    }),
    route({
      methods: ['GET'],
      paths: [`${PROJECT}/settings`],
      role: 'viewer',
      summary: 'Settings of a project',
      data: ref('Settings'),
      async handle(call) {
        const { project } = call.scope();
        return { message: 'settings found', data: showSettings(project, await sync.settings.get(project)) };
      },
    }),
    route({
      methods: ['PUT'],
      paths: [`${PROJECT}/settings`],
      role: 'editor',
      summary: 'Write the settings of a project',
      data: ref('Settings'),
      body: SettingsBody,
      async handle(call) {
        const scope = call.scope();
        const { project_id: named, webhook_alert_url: url } = call.body;
        if (named !== scope.project) throw new Failure('bad_request', 'project_id is not the project of the path');
        const written = url === undefined ? await sync.settings.get(named) : await sync.settings.put(scope, url);
        return { message: 'settings updated successfully', data: showSettings(named, written) };
      },
    }),
  ];
}

function showSettings(project: string, { id, webhookAlertUrl }: ProjectSettings) {
  return { id, project_id: project, webhook_alert_url: webhookAlertUrl };
}
