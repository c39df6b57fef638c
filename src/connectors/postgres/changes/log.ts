import { Failure, toFailure } from '../../../errors.ts';
import type { ChangeLog, ConnectorContext, LogMark, LogPosition, ReadChanges, ReadEnd } from '../../kit/index.ts';
import type { Query } from '../catalog.ts';
import type { ChangesConfig, PostgresConfig } from '../config.ts';
import { cancelledFailure } from '../failures.ts';
import type { Readers } from '../readers.ts';
import { quoteName, quoteText } from '../select.ts';
import { findRelation } from '../selection.ts';
import { PLACE_COLUMN } from './batches.ts';
import { checkLog } from './check.ts';
import { createControl, type Control } from './control.ts';
import { isOnCourse, readCourse, type CourseFacts } from './course.ts';
import { parseLsn, printLsn } from './lsn.ts';
import type { LogMemory } from './log-read.ts';
import { parsePosition, positionFromState, positionToState, printPosition } from './position.ts';
import { readLog } from './read.ts';
import { remedied } from './remedy.ts';
import { findSlot, requireSlot, type Slot } from './slot.ts';
import type { LogStream } from './stream.ts';
import { prepareTable } from './tables.ts';
import { createTypeLookup } from './types.ts';

interface LogWork {
  readonly config: PostgresConfig;
  readonly changes: ChangesConfig;
  readonly context: ConnectorContext;
  readonly readers: Readers;
}

interface LogState extends LogWork {
  readonly control: Control;
  readonly memory: LogMemory;
  readonly closed: AbortController;
  stream: LogStream | undefined;
  /** Everything before it may be forgotten. */
  acknowledged: bigint;
  /** Asked for once: a server that takes over in the middle of a session ends its connections. */
  course: CourseFacts | undefined;
  /** What `start` told last. */
  start: LogPosition | undefined;
  reading: { readonly signal: AbortSignal; readonly settled: Promise<unknown> } | undefined;
}

/**
 * The change log of a PostgreSQL database: logical replication from the slot and the publication of the configuration. A
 * position is the end of a commit, `X/Y`, with the course of the server: after a failover it tells what the new one lacks.
 */
export function createChangeLog(work: LogWork): { readonly log: ChangeLog; close(): Promise<void> } {
  const closed = new AbortController();
  const state: LogState = {
    ...work,
    control: createControl(work.config, AbortSignal.any([work.context.signal, closed.signal])),
    memory: { told: new Set(), needsText: false },
    closed,
    stream: undefined,
    acknowledged: 0n,
    course: undefined,
    start: undefined,
    reading: undefined,
  };
  const { control, config, changes } = state;
  const log: ChangeLog = {
    columns: [PLACE_COLUMN],
    check: (streams, { signal }) =>
      control.use(signal, (connection) =>
        checkLog(connection, { config, changes, log: work.context.log, streams, signal }),
      ),
    identify: (stream, { signal }) => control.use(signal, async ({ query }) => (await findRelation(query, stream)).oid),
    mark: ({ signal }) => takeMark(state, signal),
    async end({ signal }) {
      const lsn = await control.use(signal, ({ query }) => findEnd(query));
      return printPosition({ lsn, course: await courseOf(state, signal) });
    },
    async start({ signal }) {
      const course = await courseOf(state, signal);
      const lsn = (await control.use(signal, ({ query }) => slotOf(state, query))).confirmed;
      state.start = printPosition({ lsn, course });
      return state.start;
    },
    compare: (a, b) => compare(state, a, b),
    read: (reading) => read(state, reading),
    acknowledge: (position, { signal }) => acknowledge(state, parsePosition(position).lsn, signal),
    toState: positionToState,
    fromState: positionFromState,
  };
  return {
    log,
    async close() {
      closed.abort();
      await state.reading?.settled;
      await control.close();
    },
  };
}

async function courseOf(state: LogState, signal: AbortSignal): Promise<CourseFacts> {
  state.course ??= await readCourse(state.config, AbortSignal.any([signal, state.closed.signal]));
  return state.course;
}

/** By place. A place that the server's own history does not hold lies before its start: it cannot be read on from there. */
function compare({ course, start }: LogState, a: LogPosition, b: LogPosition): number {
  const [first, second] = [parsePosition(a), parsePosition(b)];
  if (course && b === start && !isOnCourse(first, course)) return -1;
  if (course && a === start && !isOnCourse(second, course)) return 1;
  return Number(first.lsn - second.lsn);
}

async function slotOf({ config, changes }: LogWork, query: Query): Promise<Slot & { confirmed: bigint }> {
  return requireSlot(await findSlot(query, changes.slot), changes.slot, config.database);
}

/** What `Readers` notes just before it takes the snapshot of a load: where the slot stands. */
export const placeOfSlot = (slot: string): string =>
  `select case when pg_catalog.pg_is_in_recovery() then 'standby ' || pg_catalog.pg_last_wal_replay_lsn()
     else (select s.confirmed_flush_lsn::pg_catalog.text from pg_catalog.pg_replication_slots s where s.slot_name = ${quoteText(slot)}) end`;

/**
 * The slot's own place before the snapshot was taken: nothing that the snapshot does not see lies before it, and the server reads
 * from there in any case. What lies between it and the snapshot is told apart by transaction number. (The end of the log at that
 * moment would not do: a commit is in the log before snapshots see it, and long before while it waits for a standby.)
 */
async function takeMark(state: LogState, signal: AbortSignal): Promise<LogMark> {
  const course = await courseOf(state, signal);
  const { place, seen } = await readMark(state, signal);
  return { position: printPosition({ lsn: parseLsn(place), course }), seen };
}

async function readMark(state: LogState, signal: AbortSignal): Promise<{ place: string; seen: string | null }> {
  const { readers, changes, config } = state;
  const { name, noted } = await readers.holdSnapshot(signal);
  if (noted === undefined) {
    throw new Failure('internal', 'the mark of a load is taken by the session that holds its snapshot');
  }
  if (noted === null) {
    requireSlot(undefined, changes.slot, config.database);
    throw new Failure('internal', 'the slot has no place');
  }
  // On a standby a snapshot does not tell which transactions run: what it sees comes again.
  if (noted.startsWith('standby ')) return { place: noted.slice('standby '.length), seen: null };
  if (name === null) return { place: noted, seen: null };
  const seen = await readers.use(signal, async ({ query }) => {
    const rows = await query('select pg_catalog.txid_current_snapshot()');
    return rows[0]?.[0] ?? null;
  });
  return { place: noted, seen };
}

const FLUSH_TURNS = 50;
const FLUSH_PAUSE = 10;

/**
 * Where the log ends for good. The flushed end may lie inside of a record, and a position must not: so it is the end of what was
 * inserted, once that is flushed. On a standby: the end of what was replayed.
 */
async function findEnd(query: Query): Promise<bigint> {
  const rows = await query(
    `select pg_catalog.pg_is_in_recovery(), case when pg_catalog.pg_is_in_recovery()
       then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_insert_lsn() end`,
  );
  const [isStandby, inserted] = rows[0] ?? [];
  const end = parseLsn(inserted ?? '');
  if (isStandby === 't') return end;
  for (let turn = 0; ; turn++) {
    const flushed = await query('select pg_catalog.pg_current_wal_flush_lsn()');
    const lsn = parseLsn(flushed[0]?.[0] ?? '');
    if (lsn >= end) return end;
    // An idle server ends at a page whose header the next record will stand behind.
    if (turn === FLUSH_TURNS) return lsn;
    await new Promise((resolve) => setTimeout(resolve, FLUSH_PAUSE));
  }
}

async function acknowledge(state: LogState, position: bigint, signal: AbortSignal): Promise<void> {
  const { control, changes, context } = state;
  if (position <= state.acknowledged) return;
  if (state.stream) {
    state.stream.tell({ confirmed: position });
  } else {
    await whileInUse(context, () =>
      control.use(signal, async ({ query }) => {
        const slot = await slotOf(state, query);
        if (position <= slot.confirmed) return;
        await query(
          `select pg_catalog.pg_replication_slot_advance(${quoteText(changes.slot)}, '${printLsn(position)}'::pg_catalog.pg_lsn)`,
        );
      }),
    );
  }
  state.acknowledged = position;
  context.world.reach('postgres.boundary-acknowledged');
}

async function read(state: LogState, work: ReadChanges): Promise<ReadEnd> {
  // One that was cancelled may still be closing its connection.
  if (state.reading?.signal.aborted) await state.reading.settled;
  if (state.reading) throw new Failure('internal', 'the log of a session is read once at a time');
  const signal = AbortSignal.any([work.signal, state.closed.signal, state.context.signal]);
  if (signal.aborted) throw cancelledFailure();
  const reading = whileInUse(state.context, () => readOnce(state, { ...work, signal }));
  const settled = reading
    .catch(() => undefined)
    .finally(() => {
      state.reading = undefined;
    });
  state.reading = { signal, settled };
  return untilAborted(reading, signal);
}

/** A sink that hangs must not keep a cancelled read from ending. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(cancelledFailure());
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function readOnce(state: LogState, work: ReadChanges): Promise<ReadEnd> {
  const { control, config, changes, context, memory } = state;
  const query: Query = (sql) => control.use(work.signal, (connection) => connection.query(sql));
  const slot = await slotOf(state, query);
  const from = parsePosition(work.from).lsn;
  const course = await courseOf(state, work.signal);
  if (from < slot.confirmed) throw lostChanges(slot, work.from);
  const lookUp = createTypeLookup(query);
  const log = context.log;
  const tables = [];
  for (const [at, stream] of work.streams.entries())
    tables.push(await prepareTable(at, stream, { query, lookUp, log }));
  const facts = await query(
    `select (select s.setting from pg_catalog.pg_settings s where s.name = 'wal_sender_timeout'),
       pg_catalog.current_setting('server_version_num')`,
  );
  const version = Number(facts[0]?.[1]);
  return readLog({
    work,
    config,
    world: context.world,
    tables,
    query,
    lookUp,
    memory,
    command: (position, binary) => startCommand(changes, { version, position, binary }),
    confirmed: slot.confirmed > state.acknowledged ? slot.confirmed : state.acknowledged,
    senderTimeout: Number(facts[0]?.[0]),
    firstWait: changes.initialWait * 1000,
    from,
    upTo: work.upTo === undefined ? undefined : parsePosition(work.upTo).lsn,
    print: (lsn) => printPosition({ lsn, course }),
    onStream: (stream) => {
      state.stream = stream;
    },
  });
}

function lostChanges(slot: Slot & { confirmed: bigint }, from: string): Failure {
  return new Failure(
    'object_missing',
    `changes after ${from} are gone: the replication slot "${slot.name}" begins at ${printLsn(slot.confirmed)}`,
    { advice: 'Load the streams anew.' },
  );
}

const BINARY_SINCE = 140_000;

function startCommand(
  { slot, publication }: ChangesConfig,
  { version, position, binary }: { version: number; position: bigint; binary: boolean },
): string {
  const names = quoteText(quoteName(publication));
  const options =
    version >= BINARY_SINCE
      ? `proto_version '2', publication_names ${names}, streaming 'on', binary '${binary}'`
      : `proto_version '1', publication_names ${names}`;
  return `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL ${printLsn(position)} (${options})`;
}

const IN_USE_LIMIT = 10_000;
const IN_USE_PAUSE = 50;

/** A slot stays in use for a moment after its reader has gone; longer than that, it has another reader. */
async function whileInUse<T>(context: ConnectorContext, work: () => Promise<T>): Promise<T> {
  const start = context.world.elapsed();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const failure = toFailure(error);
      const inUse = /replication slot "(.*)" is active for PID (\d+)/.exec(failure.message);
      if (!inUse) throw explain(failure);
      if (context.world.elapsed() - start > IN_USE_LIMIT) {
        throw remedied(
          'unreachable',
          `the replication slot "${inUse[1]}" is being read by another process (${inUse[2]})`,
          `One slot serves one job. To end the other reader run: SELECT pg_terminate_backend(${inUse[2]})`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, IN_USE_PAUSE));
    }
  }
}

/** The server looks publications up as they were at the slot's place. */
function explain(failure: Failure): Failure {
  const missing = /publication "(.*)" does not exist/.exec(failure.message);
  if (!missing || failure.message.includes('CREATE PUBLICATION')) return failure;
  return remedied(
    'object_missing',
    `the publication "${missing[1]}" did not exist where the replication slot begins`,
    'Make the slot anew, after the publication, and load the streams anew.',
  );
}
