import { mkdir, rm, rmdir } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../errors.ts';
import type { SqlValue } from '../../connectors/kit/index.ts';
import { newId } from '../../world.ts';
import type {
  ComponentCall,
  ComponentPorts,
  ComponentSpec,
  CreateComponent,
  LakeTables,
  Parameters,
} from '../kit/index.ts';
import { runInChild } from './host.ts';
import { schema } from './schema.ts';
import { stageTables } from './staging.ts';
import { USUAL_SECONDS, withinTime } from './time-limit.ts';
import type { EmbeddedPlace, SqlResult, SqlWork } from './work.ts';

const DEFAULT_PROJECT = 'olake';
const MEMORY_MB = 1024;
const THREADS = 2;
const LEAST_FREE_BYTES = 512 * 1024 ** 2;
const GRACE_MS = 8000;

interface Ask {
  readonly statements: readonly string[];
  readonly connection: 'embedded' | { readonly source: number } | { readonly destination: number };
  readonly variables: Readonly<Record<string, SqlValue>>;
  readonly inTransaction: boolean;
  readonly projectId: string;
  readonly timeoutSeconds: number;
}

function readAsk(parameters: Parameters): Ask {
  const given = parameters as Partial<Ask>;
  return {
    statements: given.statements ?? [],
    connection: given.connection ?? 'embedded',
    variables: given.variables ?? {},
    inTransaction: given.inTransaction ?? true,
    projectId: given.projectId ?? DEFAULT_PROJECT,
    timeoutSeconds: given.timeoutSeconds ?? USUAL_SECONDS,
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
    execute: (call) => {
      const ask = readAsk(call.parameters);
      const limit = { signal: call.attempt.signal, seconds: ask.timeoutSeconds };
      return withinTime(limit, (signal) => runSql({ ports, call, ask, signal, work: readWork(ports, ask) }));
    },
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
  /** Aborts when the run is to end, and when its time is over. */
  readonly signal: AbortSignal;
  readonly work: Omit<SqlWork, 'at'>;
}

function readWork({ config }: ComponentPorts, ask: Ask): Run['work'] {
  return {
    statements: ask.statements,
    // What is secret is kept under a name with #; statements use the name without it.
    variables: Object.entries(ask.variables).map(
      ([name, value]) => [name.replace('#', ''), value, name.startsWith('#')] as const,
    ),
    inTransaction: ask.inTransaction,
    tellsLineage: Boolean(config.lineageUrl ?? config.lineageFile),
  };
}

async function runSql(run: Run): Promise<SqlResult> {
  const { connection } = run.ask;
  return connection === 'embedded' ? runEmbedded(run) : runConnected(run, connection);
}

async function runConnected(run: Run, connection: Exclude<Ask['connection'], 'embedded'>): Promise<SqlResult> {
  const { ports, call, work } = run;
  const [kind, id] = Object.entries(connection)[0] as ['source' | 'destination', number];
  const { type, config } = await call.attempt.reading(() => ports.connections.settings(kind, id));
  await refuseSecondAttempt(call);
  return runInChild(
    { ...work, at: { kind: 'connection', type, config } },
    {
      ...surroundings(run),
      stageTables: async () => [],
    },
  );
}

async function runEmbedded(run: Run): Promise<SqlResult> {
  const { ports, call, ask, work } = run;
  const { attempt, project } = call;
  if (!ask.inTransaction) await refuseSecondAttempt(call);
  const home = join(ports.config.dataDir, 'sql', encodeURIComponent(project));
  const runs = join(home, 'run');
  const folder = join(runs, `${attempt.task.id}.${attempt.number}`);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const at: EmbeddedPlace = {
    kind: 'embedded',
    file: join(home, 'project.duckdb'),
    folder,
    memoryMb: Math.floor(Math.min(MEMORY_MB, totalmem() / 1024 ** 2 / 4)),
    threads: Math.min(THREADS, availableParallelism()),
    leastFreeBytes: LEAST_FREE_BYTES,
    task: attempt.task.id,
    isFirstAttempt: attempt.number === 1,
    mark: newId(ports.world, 'mark'),
    namespace: `penstock:sql/${project}`,
  };
  const around = surroundings(run);
  const open: LakeTables['open'] = (owner, name) => attempt.reading(() => ports.lake.open(owner, name));
  const staging = { ...around, lake: { open }, project: ask.projectId, folder };
  try {
    return await runInChild({ ...work, at }, { ...around, stageTables: (names) => stageTables(staging, names) });
  } catch (error) {
    throw withoutPlace(error, home);
  } finally {
    await rm(folder, { recursive: true, force: true });
    // Unless another one is there.
    await rmdir(runs).catch(() => undefined);
  }
}

function surroundings({ ports, call, signal }: Run) {
  return { dataDir: ports.config.dataDir, signal, log: call.attempt.log };
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
