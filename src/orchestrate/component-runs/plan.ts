import type { ComponentSpec } from '../../components/kit/index.ts';
import type { RunPlan } from '../../engine/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { checkParameters, type Asked } from './parameters.ts';
import { maskParameters } from './secrets.ts';
import { writeToken } from './names.ts';
import type { ComponentInput } from './types.ts';

export const COMPONENT_RUN = 'component';
const LONGEST_LABEL = 300;

export interface PlannedRun extends Asked {
  readonly spec: ComponentSpec;
  readonly project: string;
  readonly tokenId: number;
}

/** The engine's name for a built-in component. */
export function engineNameOf(id: string): string {
  return `component/${id}`;
}

/**
 * The run of a built-in component: one task, in the lane of its lock key and the pool of its project. Throws
 * `bad_request` for wrong parameters. What holds a secret is sealed.
 */
export function planComponentRun(
  rooms: Pick<OrchestrateRooms, 'secrets' | 'config'>,
  { spec, parameters, config, project, tokenId }: PlannedRun,
): Omit<RunPlan, 'trigger'> {
  checkParameters(spec, parameters);
  const lockKey = spec.lockKey?.(parameters);
  const { masked, hasSecrets } = maskParameters(parameters, spec.schema);
  const input: ComponentInput = {
    parameters: masked,
    sealed: hasSecrets ? rooms.secrets.seal(JSON.stringify(parameters), engineNameOf(spec.id)) : null,
    tokenId,
  };
  return {
    kind: COMPONENT_RUN,
    project,
    phases: [[{ key: 'run', component: engineNameOf(spec.id), input, ...(spec.waits && { waits: true }) }]],
    ...(lockKey !== undefined && { lane: `${engineNameOf(spec.id)}/${lockKey}` }),
    pool: { name: `components/${project}`, limit: rooms.config.parallelism },
    keep: true,
    createdBy: writeToken(tokenId),
    labels: {
      component: spec.id,
      token: String(tokenId),
      ...(config !== null && { config: labelOf(config) }),
    },
  };
}

/** What a text is found by: its beginning, as it can be stored. */
function labelOf(text: string): string {
  return text.slice(0, LONGEST_LABEL).replaceAll('\0', '').toWellFormed();
}
