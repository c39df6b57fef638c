import { Failure } from '../../../errors.ts';
import type { ChangeLog, ConnectorContext, LogMark, LogPosition, StreamSelection } from '../../kit/index.ts';
import { readRelations, type Relation } from '../catalog.ts';
import type { MysqlConfig } from '../config.ts';
import { connect, type Connection } from '../connect.ts';
import { cancelledFailure } from '../failures.ts';
import type { Readers } from '../readers.ts';
import { readEnd } from '../snapshot.ts';
import type { Told } from './altered.ts';
import { whyUnreadable } from './columns.ts';
import { PLACE_COLUMNS } from './marks.ts';
import {
  comparePositions,
  isOf,
  isReadable,
  parsePosition,
  positionFromState,
  positionToState,
  printPosition,
  type LogFacts,
} from './position.ts';
import { readChanges } from './read.ts';
import { startDump, tryRegister, type DumpWork } from './replica.ts';
import { describePlace, readIdentity, readLogFacts, readServerEnd } from './server.ts';
import { createShapes } from './shapes.ts';
import { foreignFailure } from './starts.ts';
import { asking, checkLogSettings } from './settings.ts';

/** The change log of a session, to be closed with it. */
export interface SessionChangeLog extends ChangeLog {
  /** Tells how a table looks now; see `Shapes`. */
  remember(relation: Relation): void;
  close(): Promise<void>;
}

/**
 * The binary log as the change log of a session. Positions are `file:offset` of a server with its GTIDs, by which
 * reading goes on from another server that took over. `mark` is the place of the
 * first snapshot of the session's readers; where they could not be opened at one moment, what the later ones see besides
 * comes twice, which upserts bear.
 */
export function createChangeLog(config: MysqlConfig, context: ConnectorContext, readers: Readers): SessionChangeLog {
  const control = createControl(config, context.signal);
  const told: Told = new Set();
  const shapes = createShapes();
  const closed = new AbortController();
  let facts: LogFacts | undefined;
  const serverId = config.serverId ?? randomServerId(context);
  const onControl = <T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> =>
    control.use(signal, (connection) => asking(() => work(connection), connection.server.flavor));
  return {
    columns: PLACE_COLUMNS,
    check: (streams, { signal }) =>
      onControl(signal, async (connection) => {
        await checkLogSettings(connection, context.log);
        for (const stream of streams) await checkStream(connection, stream, context.log);
        await checkRegistering(config, { signal, serverId });
      }),
    async mark({ signal }): Promise<LogMark> {
      const { place } = await readers.holdSnapshot(signal);
      if (place) {
        const described = await onControl(signal, (connection) => describePlace(connection, place));
        return { position: printPosition(described), seen: null };
      }
      // Says what is missing; what it answers would be too late.
      await onControl(signal, readEnd);
      throw new Failure('object_missing', 'the server does not tell at which place of its log the snapshot was taken');
    },
    end: ({ signal }) => onControl(signal, async (connection) => printPosition(await readServerEnd(connection))),
    start: ({ signal }) =>
      onControl(signal, async (connection) => {
        facts = await readLogFacts(connection);
        return printPosition(facts.start);
      }),
    compare: (a, b) => comparePositions(a, b, facts),
    async read(changes) {
      const signal = AbortSignal.any([changes.signal, context.signal, closed.signal]);
      const connection = await connect(config, signal);
      const { dump, server } = await openDump({ connection, serverId, place: config, signal }, changes.from).catch(
        (error: unknown) => {
          connection.abandon();
          throw error;
        },
      );
      try {
        const query: Connection['query'] = (sql) => control.use(signal, (asked) => asked.query(sql));
        return await readChanges({ dump, query, changes: { ...changes, signal }, told, shapes, server });
      } finally {
        dump.close();
      }
    },
    // The server keeps its log by its own rules and asks no reader.
    acknowledge: async () => undefined,
    toState: (position) => positionToState(position, serverId),
    fromState: positionFromState,
    remember: shapes.remember,
    async close() {
      closed.abort();
      await control.close();
    },
  };
}

/** Starts behind the position: by place in the server's own log, by GTID when it was one of another server. */
async function openDump(work: Omit<DumpWork, 'from' | 'behind'>, position: LogPosition) {
  const { connection } = work;
  const from = parsePosition(position);
  const server = await readIdentity(connection);
  if (isOf(from, server)) return { server, dump: await startDump({ ...work, from }) };
  const isThere = isReadable(from, await asking(() => readLogFacts(connection), connection.server.flavor));
  if (!from.gtids || !isThere) throw foreignFailure(position);
  return { server, dump: await startDump({ ...work, from, behind: from.gtids }) };
}

function randomServerId({ world }: ConnectorContext): number {
  // High numbers, where servers that people number by hand are not.
  return 0x8000_0000 + (world.random(4).readUInt32LE(0) % 0x7fff_ffff);
}

/** One connection for questions, made when the first comes, and again when it was lost. */
function createControl(config: MysqlConfig, sessionSignal: AbortSignal) {
  let connecting: Promise<Connection> | undefined;
  return {
    async use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
      if (signal.aborted) throw cancelledFailure();
      const known = await connecting?.catch(() => undefined);
      if (!known || known.broken() || known.socket().destroyed) {
        connecting = connect(config, sessionSignal);
      }
      return work(await (connecting as Promise<Connection>));
    },
    async close(): Promise<void> {
      const connection = await connecting?.catch(() => undefined);
      await connection?.close();
    },
  };
}

async function checkRegistering(
  config: MysqlConfig,
  options: { signal: AbortSignal; serverId: number },
): Promise<void> {
  const { signal, serverId } = options;
  const connection = await connect(config, signal);
  await tryRegister({ connection, serverId, place: config, signal });
}

async function checkStream(
  { query }: Connection,
  stream: StreamSelection,
  log: ConnectorContext['log'],
): Promise<void> {
  const table = `"${stream.namespace}.${stream.name}"`;
  const [relation] = await readRelations(query, stream.namespace, stream.name);
  if (!relation) throw new Failure('object_missing', `${table} does not exist`);
  if (!relation.isTable) throw new Failure('object_missing', `${table} is a view, and views have no changes`);
  for (const column of relation.columns) {
    if (!stream.columns.some(({ name }) => name === column.name)) continue;
    const reason = whyUnreadable(column);
    if (reason === undefined) continue;
    throw new Failure(
      'configuration_invalid',
      `changes of the column "${column.name}" of ${table} cannot be read, because ${reason}; deselect it, or choose another mode`,
    );
  }
  if (stream.primaryKey.length === 0) {
    log({ level: 'info', message: `${table} has no primary key: an update is a deleted and an inserted row` });
  }
}
