import { createHash } from 'node:crypto';
import type { RunView } from '../engine/index.ts';
import { datasetsOf } from './datasets.ts';
import type { Dataset } from './datasets.ts';
import { facet } from './facet.ts';

export type EventType = 'START' | 'COMPLETE' | 'FAIL' | 'ABORT';

/** A run event of OpenLineage 2-0-2 (openlineage.io/spec/2-0-2/OpenLineage.json). */
export interface RunEvent {
  readonly eventType: EventType;
  readonly eventTime: string;
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: object };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: object };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}

export interface EventParts {
  readonly type: EventType;
  /** ISO instant of the change. */
  readonly at: string;
  readonly run: RunView;
  /** The run that started it. */
  readonly parent: RunView | undefined;
  /** Outputs of its tasks: what it read and wrote stands there under `lineage`. */
  readonly outputs: readonly unknown[];
  /** Who says this: an address or a name of this server. */
  readonly producer: string;
  readonly version: string;
}

const SCHEMA_URL = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';
const LONGEST_MESSAGE = 4000;

export function runEvent(parts: EventParts): RunEvent {
  const { type, at, run, producer } = parts;
  return {
    eventType: type,
    eventTime: at,
    producer,
    schemaURL: SCHEMA_URL,
    run: { runId: uuidOf(run.id), facets: runFacets(parts) },
    job: { ...jobOf(run), facets: { jobType: facet(producer, '2-0-3/JobTypeJobFacet', jobType(run)) } },
    ...datasetsOf(producer, parts.outputs),
  };
}

function runFacets({ run, parent, producer, version }: EventParts): object {
  const message = run.error?.message.slice(0, LONGEST_MESSAGE);
  return {
    processing_engine: facet(producer, '1-1-1/ProcessingEngineRunFacet', { name: 'Penstock', version }),
    ...(parent && {
      parent: facet(producer, '1-0-1/ParentRunFacet', { run: { runId: uuidOf(parent.id) }, job: jobOf(parent) }),
    }),
    ...(message !== undefined && {
      errorMessage: facet(producer, '1-0-1/ErrorMessageRunFacet', { message, programmingLanguage: 'TypeScript' }),
    }),
  };
}

/** Runs of one definition are runs of one job: `orchestration.12`, `sync.job.4`; else those of a component with one configuration. */
function jobOf(run: RunView): { namespace: string; name: string } {
  const { component = run.kind, config } = run.labels;
  const name = run.definition ?? (config === undefined ? component : `${component}.${config}`);
  return { namespace: `penstock/${run.project}`, name: name.replaceAll('/', '.') };
}

function jobType(run: RunView): object {
  return { processingType: 'BATCH', integration: 'PENSTOCK', jobType: run.kind.toUpperCase() };
}

/** The UUID that a run has for others; always the same one. Version 8: made of a hash in our own way (RFC 9562, 5.8). */
function uuidOf(runId: string): string {
  const bytes = createHash('sha256').update(`penstock run ${runId}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
