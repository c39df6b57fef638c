import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { sourceFiles } from './files.ts';

const IMPORT = /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"](\.[^'"]+\.ts)['"]/g;

/** Every circle of imports in `src/`, types included: files that cannot be read one after the other. */
export function checkCircles(root: string): string[] {
  const src = join(root, 'src');
  const imports = new Map(sourceFiles(src).map((file) => [file, importsOf(file)]));
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (finished.has(file)) return;
    const at = path.indexOf(file);
    if (at >= 0) {
      const names = [...path.slice(at), file].map((one) => relative(src, one).split(sep).join('/'));
      circles.push(`a circle of imports: ${names.join(' → ')}`);
      return;
    }
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map((match) => join(dirname(file), match[1]!));
}
