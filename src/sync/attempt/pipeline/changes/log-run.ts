import type { ChangeLog, LogPosition, StreamSelection } from '../../../../connectors/kit/index.ts';
import { streamStateOf } from '../../../catalog/index.ts';
import { createChangeDecorator } from '../../decorate/index.ts';
import { knowsCommit } from '../checkpoint.ts';
import type { LogPlace } from '../checkpoint.ts';
import type { RunTools, StreamWork } from '../context.ts';

/** The streams of a run that are read from the source's change log. */
export interface LogRun {
  readonly tools: RunTools;
  readonly log: ChangeLog;
  readonly streams: LogStream[];
  /** What a load of this run or an earlier one can have seen lies before it. */
  seenUntil: LogPosition;
}

/** One of them, with its table open. */
export interface LogStream {
  readonly work: StreamWork;
  readonly decorate: ReturnType<typeof createChangeDecorator>;
  /** Everything up to here is in the table, durably. */
  place: LogPlace;
}

export function createLogStream(work: StreamWork, place: LogPlace): LogStream {
  return { work, decorate: createChangeDecorator(work.stream, work.tools.io.world), place };
}

/**
 * How far the stream's table has come, or undefined when it must be loaded first. The table's own checkpoint tells. The
 * state row may tell more of a table that had no changes since: it is believed while it knows the table's last commit.
 */
export function knownPlace(
  { log, tools }: Omit<LogRun, 'streams' | 'seenUntil'>,
  work: StreamWork,
): LogPlace | undefined {
  const { stream, ledger } = work;
  const last = ledger.last;
  const sameMode = last?.mode === stream.mode || (last?.mode === 'cdc' && stream.mode === 'strict_cdc');
  if (!last?.log || !sameMode || last.load) return undefined;
  const { global } = tools.state;
  const isCurrent = knowsCommit(streamStateOf(tools.state, stream.id), last);
  const common = isCurrent && global?.streams.includes(stream.id) === true ? log.fromState(global.state) : undefined;
  if (common === undefined || log.compare(common, last.log.position) <= 0) return last.log;
  return { ...last.log, position: common };
}

/** The part of a place that names the source's table. Asked before a load takes its snapshot: never newer than its rows. */
export async function nameTable(
  { log, tools }: Pick<LogRun, 'log' | 'tools'>,
  selection: StreamSelection,
): Promise<Pick<LogPlace, 'table'>> {
  return log.identify ? { table: await log.identify(selection, { signal: tools.signal }) } : {};
}

/** The earliest place of any stream: reading begins there, and the source may forget what lies before. */
export function earliest(run: Pick<LogRun, 'log' | 'streams'>): LogPosition {
  const [first, ...others] = run.streams.map((stream) => stream.place.position);
  return others.reduce((least, position) => (run.log.compare(position, least) < 0 ? position : least), first!);
}
