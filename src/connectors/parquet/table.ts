import type { Column } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type {
  ParquetFileEntry,
  ParquetTable,
  ParquetTableOptions,
  ParquetTicket,
  ParquetUnit,
  PartitionRule,
  Storage,
} from '../../lakehouse/index.ts';
import {
  adoptParquetFiles,
  beginParquetUnit,
  dropParquetTable,
  issueParquetTicket,
  joinParquetTable,
  openParquetTable,
  readPartitionRule,
  readRowTexts,
} from '../../lakehouse/index.ts';
import type {
  Checkpoint,
  CommitUnit,
  DestinationTable,
  Durable,
  OpenTable,
  RowPlace,
  SealedUnit,
  TableWriter,
} from '../kit/index.ts';
import type { ParquetConfig } from './config.ts';
import { doubleBatch, doubleColumns } from './decimals.ts';

/** An opened table and what its units need. */
interface Opened {
  readonly table: ParquetTable;
  readonly options: ParquetTableOptions;
  readonly config: ParquetConfig;
  readonly wanted: OpenTable;
  readonly partition: PartitionRule | undefined;
  /** Files that this process has written, by visible path: where they lie before they are visible. */
  readonly staged: Map<string, string>;
  /** Commits that were tried and whose outcome is unknown here: while there are any, nothing may be removed. */
  uncertain: number;
}

/** Opens (creates, recovers) the table that a stream writes. */
export async function openTable(
  config: ParquetConfig,
  wanted: OpenTable,
  options: Omit<ParquetTableOptions, 'columns' | 'checkpointKey' | 'run' | 'name'>,
): Promise<DestinationTable> {
  const { name, checkpointKey, run } = wanted;
  const columns = config.decimals === 'double' ? doubleColumns(wanted.columns) : wanted.columns;
  const partition = readPartitionRule(wanted.partition, columns);
  const tableOptions = { ...options, name, columns, checkpointKey, run };
  const table = await openParquetTable(tableOptions);
  const opened: Opened = {
    table,
    options: tableOptions,
    config,
    wanted,
    partition,
    staged: new Map(table.staged.map((file) => [file.path, file.staged!])),
    uncertain: 0,
  };
  const change = async (effect: 'publish' | 'discard', checkpoint?: Checkpoint): Promise<Durable> => {
    const rows = rowsOf(table.staged);
    const manifest = await table.commit({ effect, files: [], checkpoint });
    return { version: String(manifest.sequence), rows, tableRows: rowsOf(manifest.files) };
  };

  return {
    get checkpoint() {
      return table.manifest.checkpoints[checkpointKey] as Checkpoint | undefined;
    },
    get rows() {
      return rowsOf(table.manifest.files);
    },
    beginUnit: () => beginUnit(opened),
    publishStaged: (checkpoint) => change('publish', checkpoint),
    async discardStaged() {
      if (table.staged.length > 0) await change('discard');
    },
    readRows: (places) => readPlaces(opened, places),
    get ticket() {
      return issueParquetTicket(table);
    },
    adoptUnit: async (sealed) => adoptUnit(opened, sealed),
    async drop() {
      await options.guard();
      await dropParquetTable(options, options.folder);
    },
    close: () => closeTable(opened),
  };
}

const rowsOf = (files: readonly { rows: number }[]): number => files.reduce((sum, file) => sum + file.rows, 0);

/** Joins a table that another process has open: its files go into that opening's staging folder. */
export function joinTable(
  config: ParquetConfig,
  wanted: OpenTable,
  { ticket, ...ports }: Pick<ParquetTableOptions, 'storage' | 'world' | 'folder'> & { readonly ticket: unknown },
): TableWriter {
  const columns = config.decimals === 'double' ? doubleColumns(wanted.columns) : wanted.columns;
  const partition = readPartitionRule(wanted.partition, columns);
  const target = joinParquetTable(ports.world, ports.folder, ticket as ParquetTicket);
  const { codec, maximumFileBytes } = config;
  return {
    beginUnit() {
      const unit = beginParquetUnit(
        target,
        { ...ports, columns, run: wanted.run },
        { codec, maximumFileBytes, partition },
      );
      return {
        write: (batch) => unit.write(config.decimals === 'double' ? doubleBatch(batch) : batch),
        get bytes() {
          return unit.bytes;
        },
        get rows() {
          return unit.rows;
        },
        async seal(): Promise<SealedUnit> {
          const files = await unit.finish();
          return { rows: unit.rows, bytes: unit.bytes, files };
        },
        abort: () => unit.abort(),
      };
    },
    close: async () => {},
  };
}

function beginUnit(opened: Opened): CommitUnit {
  const { table, config, options } = opened;
  const { codec, maximumFileBytes } = config;
  return toCommitUnit(
    opened,
    beginParquetUnit(table, options, { codec, maximumFileBytes, partition: opened.partition }),
  );
}

/** The files are complete: the unit can be committed or aborted, and read back before. */
function adoptUnit(opened: Opened, sealed: SealedUnit): CommitUnit {
  const { layout } = opened.table;
  const files = adoptParquetFiles(layout, sealed.files as readonly ParquetFileEntry[]);
  return toCommitUnit(opened, {
    rows: sealed.rows,
    bytes: sealed.bytes,
    async write() {
      throw new Failure('internal', 'A batch came to a unit that is sealed.');
    },
    finish: async () => files,
    async abort() {
      for (const { staged } of files) await opened.options.storage.remove(layout.absolute(staged!));
    },
  });
}

function toCommitUnit(opened: Opened, unit: ParquetUnit): CommitUnit {
  const { table, config } = opened;
  let deciding = false;
  return {
    async write(batch) {
      const place = await unit.write(config.decimals === 'double' ? doubleBatch(batch) : batch);
      return place;
    },
    get bytes() {
      return unit.bytes;
    },
    get rows() {
      return unit.rows;
    },
    async commit(effect, checkpoint) {
      const files = await unit.finish();
      for (const file of files) opened.staged.set(file.path, file.staged!);
      const onDeciding = (): void => {
        if (!deciding) opened.uncertain++;
        deciding = true;
      };
      const kind = effect === 'stage' ? 'stage' : 'append';
      const manifest = await table.commit({ effect: kind, files, checkpoint, onDeciding });
      opened.uncertain--;
      return { version: String(manifest.sequence), rows: rowsOf(files), tableRows: rowsOf(manifest.files) };
    },
    async abort() {
      if (!deciding) await unit.abort();
    },
  };
}

/** Reads each file once; texts are those of the stream's own column types, decimals stored as doubles included. */
async function readPlaces(opened: Opened, places: readonly RowPlace[]): Promise<(readonly (string | null)[])[]> {
  const { options, wanted } = opened;
  const result: (readonly (string | null)[])[] = places.map(() => []);
  for (const file of new Set(places.map((place) => place.file))) {
    const indexes = places.map((_, at) => at).filter((at) => places[at]!.file === file);
    const path = await locate(opened, file);
    const rows = indexes.map((at) => places[at]!.row);
    const texts = await readRowTexts(options.storage, { path, rows }, options.columns);
    for (const [at, index] of indexes.entries()) {
      result[index] = texts[at]!.map((value, column) => asWanted(wanted.columns[column]!, opened.config, value));
    }
  }
  return result;
}

function asWanted({ type }: Column, config: ParquetConfig, text: string | null): string | null {
  if (text === null || type.kind !== 'decimal' || config.decimals !== 'double') return text;
  return Number(text).toFixed(type.scale);
}

async function locate({ options, table, staged }: Opened, file: string): Promise<string> {
  const visible = table.layout.absolute(file);
  const hidden = staged.get(file);
  if (hidden === undefined || (await sizeOf(options.storage, visible)) !== undefined) return visible;
  return table.layout.absolute(hidden);
}

const sizeOf = (storage: Storage, path: string): Promise<number | undefined> => storage.size(path);

/** Removes this opening's staging folder unless it holds staged files, or files that may have been committed. */
async function closeTable({ table, options, uncertain }: Opened): Promise<void> {
  const own = `${table.layout.openStaging}/`;
  if (uncertain > 0 || table.staged.some((file) => file.staged!.startsWith(own))) return;
  await options.storage.removeFolder(table.layout.absolute(table.layout.openStaging));
}
