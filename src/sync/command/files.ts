import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../errors.ts';

/** Reads a JSON file that the user named. `bad_request` when it is missing or no JSON. */
export function readJson(path: string): unknown {
  return parse(readText(path), path);
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Failure('bad_request', `cannot read ${path}`);
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('bad_request', `${path} is not JSON`);
  }
}

/** Replaces the file as a whole: a reader never sees half of it. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.tmp`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

/** The file of that name beside the given one. */
export function beside(path: string, name: string): string {
  return join(dirname(path), name);
}
