import type { ComponentSpec } from '../../components/kit/index.ts';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import type { ComponentListing } from './types.ts';

/** The component that starts orchestrations; it is no run of its own. */
export const ORCHESTRATOR = 'orchestrator';

export type Found =
  | { readonly kind: 'built-in'; readonly spec: ComponentSpec }
  | { readonly kind: 'orchestrator' }
  | { readonly kind: 'remote'; readonly url: string };

/** The components that this server knows: its own, those of the operator elsewhere, and the orchestrator. */
export interface Catalog {
  list(): readonly ComponentListing[];
  /** Undefined when there is none; throws `bad_request` when it is switched off. */
  find(id: string): Found | undefined;
}

const ORCHESTRATOR_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['config'],
  properties: {
    config: { type: 'integer', title: 'Orchestration', description: 'Id of the orchestration to start.' },
    tasks: { type: 'array', title: 'Tasks', description: 'All its tasks; only `active` may differ.' },
    notificationsEmails: {
      type: 'array',
      title: 'E-mail addresses',
      description: 'Who is told when the job ends with an error or a warning.',
      items: { type: 'string' },
    },
  },
};

export function createCatalog(
  specs: readonly ComponentSpec[],
  config: Pick<Config, 'disabledComponents' | 'remoteComponents'>,
): Catalog {
  const builtIn = new Map(specs.map((spec) => [spec.id, spec]));
  const offBecause = (id: string): string | null =>
    config.disabledComponents.includes(id) ? 'The operator of this server has disabled it.' : null;
  const listings: ComponentListing[] = [
    {
      id: ORCHESTRATOR,
      name: 'Orchestration',
      description: 'Starts another orchestration and waits until its job has ended.',
      schema: ORCHESTRATOR_SCHEMA,
      isOffBecause: offBecause(ORCHESTRATOR),
    },
    ...specs.map(({ id, name, description, schema, isOffBecause }) => ({
      id,
      name,
      description,
      schema,
      isOffBecause: isOffBecause ?? offBecause(id),
    })),
    ...[...config.remoteComponents.keys()].map((id) => ({
      id,
      name: id,
      description: 'A component on another server.',
      schema: { type: 'object' },
      isOffBecause: offBecause(id),
    })),
  ];
  const byId = new Map(listings.map((listing) => [listing.id, listing]));
  return {
    list: () => listings,
    find(id) {
      const listing = byId.get(id);
      if (listing === undefined) return undefined;
      if (listing.isOffBecause !== null) throw new Failure('bad_request', `Component '${id}' is disabled`);
      const spec = builtIn.get(id);
      if (spec !== undefined) return { kind: 'built-in', spec };
      const url = config.remoteComponents.get(id);
      return url === undefined ? { kind: 'orchestrator' } : { kind: 'remote', url };
    },
  };
}
