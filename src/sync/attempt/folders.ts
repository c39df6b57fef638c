import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import type { Config } from '../../config.ts';
import { isLoopback } from '../../config.ts';
import { Failure } from '../../errors.ts';
import type { FolderRules } from './work.ts';

/** The rules of this installation for a project: its warehouse, and what the settings allow besides. */
export function folderRules(config: Pick<Config, 'dataDir' | 'fileRoots' | 'host'>, project: string): FolderRules {
  const open = config.fileRoots === null && isLoopback(config.host);
  return {
    warehouse: resolve(config.dataDir, 'warehouse', project),
    dataDir: resolve(config.dataDir),
    roots: open ? null : (config.fileRoots ?? []),
  };
}

/** Throws `configuration_invalid` for a local folder that a destination may not use. Follows links. */
export function createPathCheck(rules: FolderRules): (path: string) => void {
  return (path) => {
    const real = realFolder(resolve(path));
    if (isBelow(real, realFolder(rules.warehouse))) return;
    if (isBelow(real, realFolder(rules.dataDir))) {
      throw new Failure(
        'configuration_invalid',
        `${path} lies in the data folder of this server; choose another folder`,
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
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}
