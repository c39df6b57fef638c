import type { Config } from '../../config.ts';
import type { CatalogPort } from '../../lakehouse/index.ts';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';

/** What the command sees of the terminal and the installation. */
export interface CommandIo {
  readonly world: World;
  readonly config: Pick<Config, 'dataDir' | 'fileRoots' | 'host' | 'serverKeys' | 'testStopAt'>;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  write(text: string): void;
  /** The built-in catalog, opened when a destination first asks for it; absent where there is no database to reach. */
  openCatalog?(project: string): Promise<{ readonly catalog: CatalogPort; close(): Promise<void> }>;
}

/** Opens the built-in catalog at most once, and closes it when it was opened. */
export function lazyCatalog(io: CommandIo, project: string): { get(): Promise<CatalogPort>; close(): Promise<void> } {
  let opened: Promise<{ readonly catalog: CatalogPort; close(): Promise<void> }> | undefined;
  return {
    async get() {
      if (!io.openCatalog) {
        throw new Failure('configuration_invalid', 'the built-in catalog needs the database of Penstock', {
          advice: 'Start the server with the same data folder, set PENSTOCK_DATABASE_URL, or use a jdbc catalog.',
        });
      }
      opened ??= io.openCatalog(project);
      return (await opened).catalog;
    },
    close: async () => (await opened)?.close(),
  };
}
