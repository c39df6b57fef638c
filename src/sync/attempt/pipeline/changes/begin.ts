import type { ChangeLog, LogPosition, SourceSession } from '../../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../../catalog/index.ts';
import { isIdentityChanged } from '../checkpoint.ts';
import type { LogPlace } from '../checkpoint.ts';
import type { RunTools, StreamWork } from '../context.ts';
import { namingStream, openStream } from '../stream.ts';
import { loadMarked } from './load-marked.ts';
import { createLogStream, knownPlace } from './log-run.ts';
import type { LogStream } from './log-run.ts';

export interface Beginning {
  readonly log: ChangeLog;
  /** Where the log ended a moment ago. */
  readonly end: LogPosition;
  /** For the loads alone: its snapshot must not stay open for as long as the log is read. */
  readonly loading: SourceSession;
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
  const known = knownPlace({ tools, log }, work);
  const start = await log.start({ signal: tools.signal });
  const obstacle = known && (await findObstacle(work, beginning, { start, known: known.position }));
  if (known && !obstacle) return known;
  if (obstacle) {
    const what = stream.mode === 'cdc' ? 'it is loaded again' : `changes before ${start} are missing from its table`;
    tools.warn(`${stream.id}: ${obstacle}; ${what}`);
  }
  if (stream.mode === 'cdc') return loadMarked(work, loading);
  return startAt(work, known ? start : await log.end({ signal: tools.signal }));
}

/** Why the table cannot be followed on from where it is; undefined when it can. */
async function findObstacle(
  { tools, stream, ledger }: StreamWork,
  { log, end }: Beginning,
  { start, known }: { readonly start: LogPosition; readonly known: LogPosition },
): Promise<string | undefined> {
  if (log.compare(known, start) < 0) return `the source no longer has the changes after ${known}`;
  // A server that was restored, or another one: what it wrote since looks like changes that are known already.
  const isBeyond = log.compare(known, end) > 0 && log.compare(known, await log.end({ signal: tools.signal })) > 0;
  if (isBeyond) return `the log of the source ends before ${known}, up to where its table is`;
  if (stream.mode !== 'cdc' || !isIdentityChanged(stream, ledger.last!)) return undefined;
  return 'what identifies its rows has changed at the source';
}

/** Following begins here, without a load; the table says so before the first change is read. */
async function startAt(work: StreamWork, position: LogPosition): Promise<LogPlace> {
  const place = { position, seen: null };
  await work.ledger.commit(
    () => ({ log: place }),
    (checkpoint) => work.table.beginUnit().commit('append', checkpoint),
  );
  work.tools.io.log({ level: 'info', message: `${work.stream.id}: follows the log from ${position}` });
  return place;
}
