import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canonicalText, readRows, typeWord } from '../columns/index.ts';
import type { ColumnBatch } from '../columns/index.ts';
import { createWorld } from '../world.ts';
import { localPlace, openFiles, readFileSettings } from './index.ts';
import type { Place } from './index.ts';
import type { Reading, Refusal, Surroundings } from './shapes.ts';

export const { signal: neverAborted } = new AbortController();

export type Texts = (string | null)[];

/** A folder with these files, removed after the test. */
export async function makeFolder(
  test: { after(work: () => Promise<void>): void },
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'files-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  await layFiles(folder, files);
  return folder;
}

/** All of one age, which a test that cares sets by itself. */
export async function layFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
    await utimes(join(folder, path), 1_700_000_000, 1_700_000_000);
  }
}

export interface Context extends Surroundings {
  readonly lines: string[];
}

export function testContext(changes: Partial<Surroundings> = {}): Context {
  const lines: string[] = [];
  const log = ({ level, message }: { level: string; message: string }): void => void lines.push(`${level}: ${message}`);
  return { world: createWorld(), log, signal: neverAborted, lines, ...changes };
}

/** A session over places of this machine, with the fields of a configuration. */
export function openFolder(url: string, config: Readonly<Record<string, unknown>> = {}, context = testContext()) {
  return openPlaces([localPlace(url, context)], config, context);
}

export function openPlaces(
  places: readonly Place[],
  config: Readonly<Record<string, unknown>>,
  context: Surroundings & { moment?: string },
) {
  return openFiles(places, readFileSettings(config), context);
}

export type Session = ReturnType<typeof openFolder>;

/** Keeps every row as canonical texts, and what was refused. */
export function keepAll(changes: Partial<Reading> = {}) {
  const rows: Texts[] = [];
  const refused: Refusal[] = [];
  const batches: number[] = [];
  const reading: Reading = {
    signal: neverAborted,
    batchRows: 1000,
    batchBytes: 1 << 20,
    refuse: (row) => void refused.push(row),
    sink: async (batch) => {
      batches.push(batch.rows);
      rows.push(...textsOf(batch));
    },
    ...changes,
  };
  return { rows, refused, batches, reading };
}

export function textsOf(batch: ColumnBatch): Texts[] {
  const columns = batch.columns.map((vector) => {
    const texts = (vector.constant ? readRows({ ...vector, constant: false }, 1) : readRows(vector, batch.rows)).map(
      (value) => (value === null ? null : canonicalText(vector.column.type, value)),
    );
    return vector.constant ? Array.from({ length: batch.rows }, () => texts[0]!) : texts;
  });
  return Array.from({ length: batch.rows }, (_, row) => columns.map((column) => column[row]!));
}

export async function findStream(session: Session, name: string) {
  const streams = await session.discover({ signal: neverAborted, threads: 2 });
  const found = streams.find((stream) => stream.name === name);
  if (!found) throw new Error(`no stream "${name}" among ${streams.map((stream) => stream.name).join(', ')}`);
  return found;
}

/** The whole stream as a load reads it; the time column is left aside. */
export async function readStream(session: Session, name: string, changes: Partial<Reading> = {}) {
  const stream = await findStream(session, name);
  const columns = stream.columns.slice(0, -1);
  const kept = keepAll(changes);
  const plan = await session.planLoad(stream, { targetBytes: 1 << 30, signal: neverAborted });
  for (const chunk of plan.chunks) await session.readChunk({ ...stream, columns }, { ...kept.reading, chunk });
  const types = Object.fromEntries(columns.map(({ name: own, column }) => [own, typeWord(column.type)]));
  return { ...kept, types, stream };
}

/** Reads one file by its content: types and rows of the stream `data`. */
export async function readContent(
  test: { after(work: () => Promise<void>): void },
  file: { readonly name: string; readonly content: string | Uint8Array },
  config: Readonly<Record<string, unknown>> = {},
) {
  const folder = await makeFolder(test, { [`data/${file.name}`]: file.content });
  return readStream(openFolder(folder, config), 'data');
}
