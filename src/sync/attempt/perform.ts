import { destinationContext, sourceContext } from './context.ts';
import type { ChildIo } from './io.ts';
import { runSync } from './pipeline/run.ts';
import { readForOthers } from './share/read.ts';
import { maintainTables } from './upkeep.ts';
import { verifyTables } from './verify.ts';
import type { CheckWork, ClearWork, DiscoverWork, Work } from './work.ts';

/** Does the work inside the child and answers what goes back to the parent. */
export function perform(work: Work, io: ChildIo): Promise<unknown> {
  switch (work.kind) {
    case 'sync':
      return runSync(work, io);
    case 'read':
      return readForOthers(work, io);
    case 'clear':
      return clear(work, io);
    case 'maintain':
      return maintainTables(work, io);
    case 'verify':
      return verifyTables(work, io);
    case 'check':
      return check(work, io);
    case 'discover':
      return discover(work, io);
  }
}

async function clear(work: ClearWork, io: ChildIo): Promise<{ dropped: number }> {
  const connector = io.connectors.findDestination(work.destination.type);
  const session = await connector.open(work.destination.config, destinationContext(work, io));
  let dropped = 0;
  try {
    for (const table of work.tables) {
      io.signal.throwIfAborted();
      const existed = await session.dropTable(table);
      if (existed) dropped++;
      io.world.reach('clear.dropped');
      io.log({ level: 'info', message: `${table.database}.${table.table}: ${existed ? 'dropped' : 'was not there'}` });
    }
  } finally {
    await session.close();
  }
  return { dropped };
}

async function check(work: CheckWork, io: ChildIo): Promise<null> {
  const { type, config } = work.connection;
  if (work.side === 'source') await io.connectors.findSource(type).check(config, sourceContext(work, io));
  else await io.connectors.findDestination(type).check(config, destinationContext(work, io));
  return null;
}

async function discover(work: DiscoverWork, io: ChildIo): Promise<unknown> {
  const connector = io.connectors.findSource(work.source.type);
  const session = await connector.open(work.source.config, sourceContext(work, io));
  try {
    return await session.discover({ signal: io.signal, threads: work.threads });
  } finally {
    await session.close();
  }
}
