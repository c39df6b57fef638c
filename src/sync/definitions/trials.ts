import { parseCatalog } from '../catalog/parse.ts';
import type { Catalog } from '../types.ts';
import { Failure } from '../../errors.ts';
import { parseJson } from './json.ts';
import { resolveConfig, type ConfigAsk } from './resolve.ts';
import { findJobRow } from './tables/jobs.ts';
import type { ConnectionKind, DefinitionRooms } from './types.ts';

export interface TrialLine {
  readonly level: string;
  readonly time: string;
  readonly message: string;
}

export interface TestResult {
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly message: string;
  readonly logs: readonly TrialLine[];
}

export interface DiscoverAsk extends ConfigAsk {
  /** Prefix of destination names. */
  readonly jobName?: string;
  readonly threads?: number;
}

/** Opens connections for a question, outside of any run. */
export interface Prober {
  /** Never throws for what the other system does: that is a FAILED result. */
  test(kind: ConnectionKind, target: { type: string; config: Record<string, unknown> }): Promise<TestResult>;
  /** Throws the first cause. With `stored`, the selections of that catalog survive. */
  discover(target: {
    readonly type: string;
    readonly config: Record<string, unknown>;
    readonly prefix: string;
    readonly threads?: number;
    readonly stored?: Catalog;
  }): Promise<Catalog>;
}

/** Trying configs out before, or without, storing them. */
export interface Trials {
  test(ask: ConfigAsk): Promise<TestResult>;
  /** `not_found` for a job the project has not; else the first cause as `bad_request`. */
  discover(ask: DiscoverAsk): Promise<Catalog>;
}

export function createTrials(rooms: DefinitionRooms, prober: Prober): Trials {
  return {
    test: async (ask) => prober.test(ask.kind, await resolveConfig(rooms, ask)),
    async discover(ask) {
      const job = ask.jobId !== undefined && ask.jobId > 0 ? await jobOf(rooms, ask.project, ask.jobId) : undefined;
      const target = await resolveConfig(rooms, ask);
      const stored = job && storedCatalog(job.streams_config);
      const prefix = ask.jobName ?? job?.name ?? '';
      return prober.discover({
        ...target,
        prefix,
        ...(stored && { stored }),
        ...(ask.threads && { threads: ask.threads }),
      });
    },
  };
}

async function jobOf(rooms: DefinitionRooms, project: string, id: number) {
  const job = await findJobRow(rooms.store.db, project, id);
  if (!job) throw new Failure('not_found', 'no such job');
  return job;
}

/** The job's catalog; a draft that is none counts as no catalog. */
function storedCatalog(text: string): Catalog | undefined {
  try {
    const catalog = parseCatalog(parseJson(text, 'streams_config'));
    return catalog.streams.length > 0 ? catalog : undefined;
  } catch {
    return undefined;
  }
}
