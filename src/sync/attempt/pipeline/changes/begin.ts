import type { ChangeLog, LogPosition, SourceSession } from '../../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../../catalog/index.ts';
import { isIdentityChanged } from '../checkpoint.ts';
import type { LogPlace } from '../checkpoint.ts';
import type { RunTools, StreamWork } from '../context.ts';
import { namingStream, openStream } from '../stream.ts';
import { loadMarked } from './load-marked.ts';
import { createLogStream, knownPlace } from './log-run.ts';
import type { LogStream } from './log-run.ts';

export const REPLACED = 'another table bears its name at the source now';

export interface Beginning {
  readonly log: ChangeLog;
  /** Where the log ended a moment ago. */
  readonly end: LogPosition;
  /** For the loads alone: its snapshot must not stay open for as long as the log is read. */
  readonly loading: SourceSession;
  /** The table behind each stream, by its id. */
  readonly named: ReadonlyMap<string, Pick<LogPlace, 'table'>>;
}

/** Opens the stream's table, and loads it where following the log alone would not bring it up to date. */
export function beginStream(tools: RunTools, from: Beginning, stream: ResolvedStream): Promise<LogStream> {
  return namingStream(stream.id, async () => {
    const work = await openStream(tools, stream);
    try {
      return createLogStream(work, await findPlace(work, from));
    } catch (error) {
      await work.table.close();
      throw error;
    }
  });
}

async function findPlace(work: StreamWork, beginning: Beginning): Promise<LogPlace> {
  const { tools, stream } = work;
  const { log, loading } = beginning;
  const named = beginning.named.get(stream.id) ?? {};
  const known = knownPlace({ tools, log }, work);
  const start = await log.start({ signal: tools.signal });
  const obstacle = known && (await findObstacle(work, beginning, { start, known, named }));
  if (known && !obstacle) return stream.mode === 'cdc' ? { ...known, ...named } : adoptTable(work, known, named);
  if (obstacle) {
    const what = stream.mode === 'cdc' ? 'it is loaded again' : `changes before ${start} are missing from its table`;
    tools.warn(`${stream.id}: ${obstacle}; ${what}`);
  }
  if (stream.mode === 'cdc') return loadMarked(work, { source: loading, named });
  const position = known ? start : await log.end({ signal: tools.signal });
  return startAt(work, { position, seen: null, ...named });
}

interface Compared {
  readonly start: LogPosition;
  readonly known: LogPlace;
  readonly named: Pick<LogPlace, 'table'>;
}

/** Why the table cannot be followed on from where it is; undefined when it can. */
async function findObstacle(
  { tools, stream, ledger }: StreamWork,
  { log, end }: Beginning,
  { start, known, named }: Compared,
): Promise<string | undefined> {
  const { position } = known;
  if (log.compare(position, start) < 0) return `the source no longer has the changes after ${position}`;
  // A server that was restored, or another one: what it wrote since looks like changes that are known already.
  const isBeyond = log.compare(position, end) > 0 && log.compare(position, await log.end({ signal: tools.signal })) > 0;
  if (isBeyond) return `the log of the source ends before ${position}, up to where its table is`;
  if (stream.mode !== 'cdc') return undefined;
  if (isAnother(known, named)) return REPLACED;
  return isIdentityChanged(stream, ledger.last!) ? 'what identifies its rows has changed at the source' : undefined;
}

/** Only changes are followed: those of the table that bears the name now join what is there. */
function adoptTable(work: StreamWork, known: LogPlace, named: Pick<LogPlace, 'table'>): LogPlace | Promise<LogPlace> {
  const place = { ...known, ...named };
  if (!isAnother(known, named)) return place;
  work.tools.warn(`${work.stream.id}: ${REPLACED}; its changes are added to those of the earlier one`);
  return startAt(work, place);
}

const isAnother = (known: LogPlace, named: Pick<LogPlace, 'table'>): boolean =>
  known.table !== undefined && named.table !== undefined && known.table !== named.table;

/** Following begins here, without a load; the table says so before the first change is read. */
async function startAt(work: StreamWork, place: LogPlace): Promise<LogPlace> {
  await work.ledger.commit(
    () => ({ log: place }),
    (checkpoint) => work.table.beginUnit().commit('append', checkpoint),
  );
  work.tools.io.log({ level: 'info', message: `${work.stream.id}: follows the log from ${place.position}` });
  return place;
}
