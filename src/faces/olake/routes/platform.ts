import { readNumber, route, type FaceRooms, type Route } from '../route.ts';
import { AllReleases, Maintenance } from '../shapes/index.ts';

const RELEASED = '2026-11-21';

/** What the original answers about itself. Local data only. */
export function platformRoutes({ version }: FaceRooms): Route[] {
  const release = { title: `Penstock ${version}`, version, description: '', tags: [], date: RELEASED, link: '' };
  return [
    route({
      methods: ['GET'],
      paths: ['/api/v1/platform/releases'],
      role: 'viewer',
      summary: 'Releases of the parts; never asks the network',
      data: AllReleases,
      async handle(call) {
        readNumber(call.query('limit'), { name: 'limit', least: 1, most: 1000, fallback: 1000 });
        const part = { current_version: version, releases: [release] };
        return {
          message: 'releases listed',
          data: { olake_ui_worker: part, olake_helm: { releases: [] }, olake: part, features: { releases: [] } },
        };
      },
    }),
    route({
      methods: ['GET'],
      paths: ['/api/v1/platform/opt/status'],
      role: 'viewer',
      summary: 'Whether tables are maintained by this server',
      data: Maintenance,
      handle: async () => ({ message: 'ok', data: { enabled: true } }),
    }),
  ];
}
