import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { type RoomRule, roomRules } from './rules.ts';
import { sourceFiles } from './files.ts';

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"](\.[^'"]+)['"]|import\(\s*['"](\.[^'"]+)['"]\s*\)/g;

/** Folders whose folders are rooms of their own; their index.ts finds them. */
const FAMILIES: ReadonlySet<string> = new Set(['connectors', 'components']);

/** Every import of `src/` that crosses a room against the table, or enters a room by another door than its index.ts. */
export function checkImports(root: string): string[] {
  const src = join(root, 'src');
  return sourceFiles(src)
    .filter((file) => !/\.test(-support)?\.ts$/.test(file))
    .flatMap((file) => importsOf(file).flatMap((target) => judge(src, file, target)));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => join(dirname(file), (match[1] ?? match[2])!));
}

function judge(src: string, file: string, target: string): string[] {
  const from = relative(src, file).split(sep).join('/');
  const to = relative(src, target).split(sep).join('/');
  if (to.startsWith('..')) return to.endsWith('.json') ? [] : [`${from}: imports ${to} from outside src/`];
  const here = roomOf(from);
  const there = roomOf(to);
  if (here === there || isConformance(from)) return [];
  const rule = ruleOf(here);
  if (!rule) return [`${from}: room "${here}" has no line in tools/check/rules.ts`];
  const word = there.replace(/\.ts$/, '');
  if (rule.may !== 'everything' && !rule.may.includes(word)) return [`${from}: ${here} may not import ${word} (${to})`];
  if (!there.endsWith('.ts') && to !== `${there}/index.ts`)
    return [`${from}: enters ${there} by ${to} instead of its index.ts`];
  return [];
}

/** Conformance suites are test code that lives beside the interface it checks. */
function isConformance(from: string): boolean {
  return from.includes('/conformance/');
}

function roomOf(path: string): string {
  const parts = path.split('/');
  if (parts.length === 1) return parts[0]!;
  if (parts[0] === 'faces' || (FAMILIES.has(parts[0]!) && parts.length > 2)) return `${parts[0]}/${parts[1]}`;
  return parts[0]!;
}

function ruleOf(room: string): RoomRule | undefined {
  return (
    roomRules.find((rule) => rule.room === room) ?? roomRules.find((rule) => rule.room === `${room.split('/')[0]}/*`)
  );
}
