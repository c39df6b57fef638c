/**
 * `npm run bench [-- SUITE…] [--only WORD] [--rounds N] [--smoke]`: measures, prints, and keeps the result as JSON in
 * bench/results/. `--only` takes the cases of suite `sync` whose names hold the word.
 * Ratios against a floor of the same run come first; a figure below 0.9 × the mean of the last five kept ones is named.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Figure, reaches, type Scale, show } from './figures.ts';

const suites: Record<string, () => Promise<{ measure: (scale: Scale) => Promise<readonly Figure[]> }>> = {
  sync: () => import('./sync.ts'),
  start: () => import('./start.ts'),
  engine: () => import('./engine.ts'),
  http: () => import('./http.ts'),
  schedules: () => import('./schedules.ts'),
  orchestrations: () => import('./orchestrations.ts'),
};

interface Kept {
  readonly date: string;
  readonly figures: readonly Figure[];
}

const folder = join(import.meta.dirname, 'results');

function keptResults(): Kept[] {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort();
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Kept);
}

/** Names figures that fell below 0.9 × (or, where less is better, rose above 1.1 ×) the mean of the last five kept. */
function regressions(figures: readonly Figure[]): string[] {
  const kept = keptResults();
  return figures.flatMap((figure) => {
    const past = kept.flatMap((result) => result.figures.filter((other) => other.name === figure.name)).slice(-5);
    if (past.length === 0 || !figure.reach) return [];
    const mean = past.reduce((sum, other) => sum + other.value, 0) / past.length;
    const worse = figure.reach.startsWith('>=') ? figure.value < 0.9 * mean : figure.value > 1.1 * mean;
    return worse ? [`${figure.name}: ${show(figure.value)} against a mean of ${show(mean)}`] : [];
  });
}

function print(figures: readonly Figure[]): void {
  const width = Math.max(...figures.map((figure) => figure.name.length));
  for (const figure of figures) {
    const goal = figure.reach && !smoke ? `${figure.reach} ${reaches(figure) ? '' : '  MISSED'}` : '';
    console.log(`${figure.name.padEnd(width)}  ${show(figure.value).padStart(10)} ${figure.unit.padEnd(10)} ${goal}`);
  }
}

function keep(figures: readonly Figure[]): void {
  const date = new Date().toISOString();
  const machine = `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  writeFileSync(
    join(folder, `${date.replaceAll(':', '-')}.json`),
    `${JSON.stringify({ date, machine, figures }, null, 1)}\n`,
  );
}

const { values: options, positionals: chosen } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const { smoke, only } = options;
const scale: Scale = { smoke, rounds: smoke ? 1 : Math.max(1, Number(options.rounds)), ...(only && { only }) };
const unknown = chosen.find((word) => !(word in suites));
if (unknown) {
  console.error(`no suite "${unknown}"; there are ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const name of chosen.length > 0 ? chosen : Object.keys(suites)) {
  console.log(`\n== ${name}${smoke ? ' (smoke: proves that it works, not how fast)' : ''}`);
  const found = await (await suites[name]!()).measure(scale);
  print(found);
  figures.push(...found);
}
if (!smoke) {
  for (const line of regressions(figures)) console.log(`REGRESSION ${line}`);
  keep(figures);
}
process.exit(0);
