import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../errors.ts';
import type { SqlValue } from '../../connectors/kit/index.ts';
import type { ComponentCall, ComponentPorts, ComponentSpec, CreateComponent, Parameters } from '../kit/index.ts';
import { runInChild } from './host.ts';
import { schema } from './schema.ts';
import { stageTables } from './staging.ts';
import type { EmbeddedPlace, SqlResult, SqlWork } from './work.ts';

const DEFAULT_PROJECT = 'olake';
const MEMORY_MB = 1024;
const THREADS = 2;
const GRACE_MS = 8000;

interface Ask {
  readonly statements: readonly string[];
  readonly connection: 'embedded' | { readonly source: number } | { readonly destination: number };
  readonly variables: Readonly<Record<string, SqlValue>>;
  readonly inTransaction: boolean;
  readonly projectId: string;
}

function readAsk(parameters: Parameters): Ask {
  const given = parameters as Partial<Ask>;
  return {
    statements: given.statements ?? [],
    connection: given.connection ?? 'embedded',
    variables: given.variables ?? {},
    inTransaction: given.inTransaction ?? true,
    projectId: given.projectId ?? DEFAULT_PROJECT,
  };
}

/** Runs SQL statements in the project's own database, which also sees the tables of the lakehouse, or in a connection's. */
export const component: CreateComponent = (ports) =>
  ({
    id: 'sql.transformation',
    name: 'SQL transformation',
    description:
      'Runs SQL statements, all or none of them, in a database of the project that also sees the tables of the lakehouse as lake.<database>.<table>, or in the database of a connection.',
    schema,
    graceMs: GRACE_MS,
    isOffBecause: null,
    lockKey: (parameters) => lockOf(readAsk(parameters)),
    check: (parameters) => check(readAsk(parameters)),
    execute: (call) => runSql(ports, call, readAsk(call.parameters)),
  }) satisfies ComponentSpec;

function lockOf({ connection }: Ask): string {
  if (connection === 'embedded') return connection;
  return 'source' in connection ? `source/${connection.source}` : `destination/${connection.destination}`;
}

function check({ statements, variables }: Ask): void {
  const empty = statements.findIndex((statement) => statement.trim() === '');
  if (empty !== -1) throw new Failure('bad_request', `Parameter 'statements.${empty}' must not be empty`);
  const wrong = Object.keys(variables).find((name) => !/^#?[A-Za-z_]\w*$/.test(name));
  if (wrong !== undefined) {
    throw new Failure('bad_request', `Parameter 'variables': "${wrong}" is no name of letters, digits and underscores`);
  }
}

interface Run {
  readonly ports: ComponentPorts;
  readonly call: ComponentCall;
  readonly ask: Ask;
  readonly work: Omit<SqlWork, 'at'>;
}

async function runSql(ports: ComponentPorts, call: ComponentCall, ask: Ask): Promise<SqlResult> {
  const work = {
    statements: ask.statements,
    // What is secret is kept under a name with #; statements use the name without it.
    variables: Object.entries(ask.variables).map(([name, value]) => [name.replace('#', ''), value] as const),
    inTransaction: ask.inTransaction,
  };
  const run = { ports, call, ask, work };
  return ask.connection === 'embedded' ? runEmbedded(run) : runConnected(run, ask.connection);
}

async function runConnected(
  { ports, call, work }: Run,
  connection: Exclude<Ask['connection'], 'embedded'>,
): Promise<SqlResult> {
  const [kind, id] = Object.entries(connection)[0] as ['source' | 'destination', number];
  const { type, config } = await ports.connections.settings(kind, id);
  await refuseSecondAttempt(call);
  return runInChild(
    { ...work, at: { kind: 'connection', type, config } },
    {
      ...surroundings(ports, call),
      stageTables: async () => [],
    },
  );
}

async function runEmbedded({ ports, call, ask, work }: Run): Promise<SqlResult> {
  const { attempt, project } = call;
  if (!ask.inTransaction) await refuseSecondAttempt(call);
  const home = join(ports.config.dataDir, 'sql', encodeURIComponent(project));
  const folder = join(home, 'run');
  // One run at a time has this folder (its lock); what a crash has left of an earlier one goes now.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at: EmbeddedPlace = {
    kind: 'embedded',
    file: join(home, 'project.duckdb'),
    folder,
    memoryMb: Math.floor(Math.min(MEMORY_MB, totalmem() / 1024 ** 2 / 4)),
    threads: Math.min(THREADS, availableParallelism()),
    task: attempt.task.id,
    isFirstAttempt: attempt.number === 1,
  };
  const around = surroundings(ports, call);
  const staging = { ...around, lake: ports.lake, project: ask.projectId, folder };
  try {
    return await runInChild({ ...work, at }, { ...around, stageTables: (names) => stageTables(staging, names) });
  } catch (error) {
    throw withoutPlace(error, home);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function surroundings({ config }: ComponentPorts, { attempt }: ComponentCall) {
  return { dataDir: config.dataDir, signal: attempt.signal, log: attempt.log };
}

/**
 * Outside of a transaction of our own nobody knows how far a lost attempt came, so its statements are not run again.
 * Inside of one the database tells.
 */
async function refuseSecondAttempt({ attempt }: ComponentCall): Promise<void> {
  if (attempt.task.memo !== null) {
    throw new Failure('worker_lost', 'Interrupted by a server restart; how far the statements came is not known', {
      advice: 'Look at the data, then start it again.',
    });
  }
  await attempt.remember({ hasBegun: true });
}

/** Messages of the database name its files; people need not know where they lie. */
function withoutPlace(error: unknown, home: string): unknown {
  if (!(error instanceof Failure) || !error.message.includes(home)) return error;
  return new Failure(error.kind, error.message.replaceAll(home, ''), { advice: error.advice, cause: error });
}
