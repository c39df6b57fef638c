import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { Config } from '../../config.ts';
import { isLoopback } from '../../config.ts';
import { Failure } from '../../errors.ts';
import type { FolderRules } from './work.ts';

/** The rules of this installation for a project: its warehouse, and what the settings allow besides. */
export function folderRules(
  config: Pick<Config, 'dataDir' | 'fileRoots' | 'host'> & { readonly closedFolders?: readonly string[] },
  project: string,
): FolderRules {
  const open = config.fileRoots === null && isLoopback(config.host);
  return {
    warehouse: resolve(config.dataDir, 'warehouse', project),
    dataDir: resolve(config.dataDir),
    closed: config.closedFolders ?? [],
    roots: open ? null : (config.fileRoots ?? []),
  };
}

/** Throws when a project's tables must not lie in a local folder, by the rules of this installation. */
export function checkFolder(config: Parameters<typeof folderRules>[0], project: string, path: string): void {
  createPathCheck(folderRules(config, project))(path);
}

/**
 * Throws `configuration_invalid` for a local folder, file or socket that a connection may not use. Follows links. What
 * holds the data folder is allowed, since tables lie in folders of their own below; each of those is checked as well.
 */
export function createPathCheck(rules: FolderRules): (path: string) => void {
  return (path) => {
    const real = realFolder(resolve(path));
    if (isBelow(real, realFolder(rules.warehouse))) return;
    if ([rules.dataDir, ...rules.closed].some((folder) => isBelow(real, realFolder(folder)))) {
      throw new Failure(
        'configuration_invalid',
        `${path} lies in a closed folder: the data folder of this server, or its database's; choose another`,
      );
    }
    if (rules.roots !== null && !rules.roots.some((root) => isBelow(real, realFolder(root)))) {
      throw new Failure('configuration_invalid', `${path} is not below a folder that this server may use`, {
        advice: 'Choose a folder below one of PENSTOCK_FILE_ROOTS, or ask the operator to add it there.',
      });
    }
  };
}

/** The folder with links resolved as far as it exists. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : resolve(realFolder(parent), relative(parent, path));
  }
}

function isBelow(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
