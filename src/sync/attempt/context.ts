import type { ConnectorContext, DestinationContext } from '../../connectors/kit/index.ts';
import { createPathCheck } from './folders.ts';
import { askedCatalog } from './io.ts';
import type { ChildIo } from './io.ts';
import type { Work } from './work.ts';

/** What a source sees of the process around it. */
export function sourceContext(work: Pick<Work, 'folders'>, io: ChildIo): ConnectorContext {
  return { world: io.world, log: io.log, signal: io.signal, allowPath: createPathCheck(work.folders) };
}

/** What a destination sees of the process around it. */
export function destinationContext(work: Pick<Work, 'folders'>, io: ChildIo): DestinationContext {
  return {
    world: io.world,
    log: io.log,
    signal: io.signal,
    guard: async () => void (await io.ask({ ask: 'guard' })),
    warehouse: work.folders.warehouse,
    catalog: askedCatalog(io),
    allowPath: createPathCheck(work.folders),
  };
}
