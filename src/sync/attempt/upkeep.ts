import type { MaintenanceResult } from '../../connectors/kit/index.ts';
import type { TableName } from '../../lakehouse/index.ts';
import { destinationContext } from './context.ts';
import type { ChildIo } from './io.ts';
import type { MaintainWork } from './work.ts';

/** What upkeep did to each table; a table that does not exist is not listed. */
export interface UpkeepResult {
  readonly tables: readonly (MaintenanceResult & { readonly table: string })[];
}

/** Looks after each of the tables, one after the other; what is done for one stays done when another fails. */
export async function maintainTables(work: MaintainWork, io: ChildIo): Promise<UpkeepResult> {
  const connector = io.connectors.findDestination(work.destination.type);
  const session = await connector.open(work.destination.config, destinationContext(work, io));
  const tables: UpkeepResult['tables'][number][] = [];
  try {
    for (const name of work.tables) {
      io.signal.throwIfAborted();
      const result = await session.maintain?.(name, { policy: work.policy, signal: io.signal });
      if (!result) continue;
      tables.push({ table: wordOf(name), ...result });
      io.log({ level: 'info', message: describe(name, result) });
    }
  } finally {
    await session.close();
  }
  return { tables };
}

const wordOf = ({ database, table }: TableName): string => `${database}.${table}`;

function describe(name: TableName, result: MaintenanceResult): string {
  const { compactedFiles, writtenFiles, removedDeleteFiles, expiredSnapshots, removedFiles, removedBytes } = result;
  const megabytes = (removedBytes / 1024 / 1024).toFixed(1);
  return (
    `${wordOf(name)}: ${compactedFiles} files joined into ${writtenFiles}, ${removedDeleteFiles} delete files applied, ` +
    `${expiredSnapshots} snapshots expired, ${removedFiles} files removed (${megabytes} MB)`
  );
}
