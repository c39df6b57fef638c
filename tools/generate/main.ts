/** `npm run generate` writes every generated file; with `--check` it names those that are stale and exits 1. */
import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { generateArchitecture } from './architecture.ts';
import { generateOpenapi } from './openapi.ts';
import { generateStore } from './store.ts';

const root = join(import.meta.dirname, '..', '..');
const generators: readonly ((root: string) => Promise<Map<string, string>>)[] = [
  generateStore,
  generateArchitecture,
  generateOpenapi,
];

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const generate of generators) {
  for (const [path, content] of await generate(root)) {
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present === content) continue;
    stale.push(relative(root, path));
    if (!isCheck) await writeFile(path, content);
  }
}
for (const path of stale) console.log(isCheck ? `stale: ${path} (run \`npm run generate\`)` : `written: ${path}`);
if (isCheck && stale.length > 0) process.exitCode = 1;
