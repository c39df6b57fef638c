import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { sourceFiles } from './files.ts';

const FORBIDDEN_NAMES = /^(utils?|common|helpers?|lib|core|.*manager|.*service)$/i;
const ENVIRONMENT = /process\.env\b/;
/** Where the environment may be read: configuration, and the processes that hand it on whole. */
const MAY_READ_ENVIRONMENT = new Set(['config.ts', 'main.ts']);

/** A room's index.ts holds exports only; no file or folder bears a word that says nothing; one reader of the environment. */
export function checkDoors(root: string): string[] {
  const src = join(root, 'src');
  return sourceFiles(src).flatMap((file) => {
    const path = relative(src, file);
    const text = readFileSync(file, 'utf8');
    return [...judgeNames(path), ...judgeDoor(path, text), ...judgeEnvironment(path, text)];
  });
}

function judgeNames(path: string): string[] {
  const bad = path
    .replace(/\.test\.ts$|\.ts$/, '')
    .split('/')
    .find((part) => FORBIDDEN_NAMES.test(part));
  return bad ? [`${path}: "${bad}" says nothing about what is in it`] : [];
}

function judgeDoor(path: string, text: string): string[] {
  if (basename(path) !== 'index.ts') return [];
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').trim();
  const rest = code.replace(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+';/g, '').trim();
  return rest === ''
    ? []
    : [`${path}: an index.ts holds exports only; move "${rest.slice(0, 40)}…" to a file of its own`];
}

function judgeEnvironment(path: string, text: string): string[] {
  if (path.endsWith('.test.ts') || path.includes('conformance/') || MAY_READ_ENVIRONMENT.has(path)) return [];
  return ENVIRONMENT.test(text) ? [`${path}: reads the environment; settings come from config.ts`] : [];
}
