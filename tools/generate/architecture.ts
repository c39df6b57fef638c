import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { roomRules } from '../check/rules.ts';

const BEGIN = '<!-- rules:begin -->';
const END = '<!-- rules:end -->';

/** ARCHITECTURE.md with the table of import rules as `tools/check` keeps them. */
export async function generateArchitecture(root: string): Promise<Map<string, string>> {
  const path = join(root, 'ARCHITECTURE.md');
  const page = await readFile(path, 'utf8');
  const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
  const after = page.slice(page.indexOf(END));
  return new Map([[path, `${before}\n${table()}\n${after}`]]);
}

function table(): string {
  const rows = roomRules.map(({ room, may, why }) => {
    const rooms = may === 'everything' ? 'everything' : may.map((name) => `\`${name}\``).join(' ');
    return `| \`${room}\` | ${rooms || '–'} | ${why} |`;
  });
  return ['| room | may import | why |', '|---|---|---|', ...rows].join('\n');
}
