import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { Failure } from '../../errors.ts';
import { createTestCall } from './attempt.test-support.ts';
import type { ComponentSpec, Parameters } from './types.ts';

type Schema = Readonly<Record<string, unknown>>;

/** What every component must be like before it runs; throws an `AssertionError` that says what is missing. */
export function proveSpec(spec: ComponentSpec): void {
  const { id, schema } = spec;
  assert.match(id, /^[a-z]+(\.[a-z][a-z-]*)+$/, 'the id');
  assert.ok(spec.name.length > 0 && spec.description.endsWith('.'), `${id} has a name and a sentence about itself`);
  assert.equal(schema['type'], 'object');
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  assert.equal(validate({ 'no such parameter': 1 }), false, `${id} refuses parameters that it does not know`);
  proveObject(id, schema);
  const named = spec.configParameter;
  const properties = schema['properties'] as Record<string, Schema>;
  assert.ok(named === undefined || Object.hasOwn(properties, named), `${id}: configParameter is one of its parameters`);
  const required = (schema['required'] ?? []) as readonly string[];
  for (const name of required) assert.ok(Object.hasOwn(properties, name), `${id}: required ${name} is described`);
  assert.ok((spec.graceMs ?? 0) <= 30_000, `${id} ends within the time of a kill`);
}

/** Forms show title and description of each field, at any depth; no object takes whatever comes. */
function proveObject(path: string, schema: Schema): void {
  assert.notEqual(schema['additionalProperties'] ?? true, true, `${path} is closed`);
  for (const [name, property] of Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)) {
    const here = `${path}.${name}`;
    assert.equal(typeof property['title'], 'string', `${here} has a title`);
    assert.equal(typeof property['description'], 'string', `${here} has a description`);
    const alternatives = ['oneOf', 'anyOf', 'allOf'].flatMap((word) => (property[word] ?? []) as Schema[]);
    for (const one of [property, ...alternatives]) if (one['properties']) proveObject(here, one);
  }
}

export interface EndCase {
  /** Parameters with which it runs until it is ended. */
  readonly parameters: Parameters;
  /** Becomes true once it is at work. */
  isAtWork(lines: readonly string[]): boolean | Promise<boolean>;
  /** Folders in which it must leave nothing that was not there. */
  readonly folders: readonly string[];
}

/** Cancels a call that is at work: it ends within its grace, and leaves no process and no file behind. */
export async function proveEnd(spec: ComponentSpec, { parameters, isAtWork, folders }: EndCase): Promise<void> {
  const before = await listFolders(folders);
  const processes = await childProcesses();
  const { call, lines, controller } = createTestCall(parameters);
  const ending = spec.execute(call).then(
    () => 'it went well',
    (reason: unknown) => reason,
  );
  while (!(await isAtWork(lines))) {
    const early = await Promise.race([ending, pause(20)]);
    assert.equal(early, undefined, `${spec.id} is at work: ${String(early)}`);
  }
  const started = performance.now();
  const reason = new Failure('cancelled', 'the run was cancelled');
  controller.abort(reason);
  const end = await ending;
  assert.ok(end instanceof Failure && end.kind === 'cancelled', `${spec.id} ends as cancelled: ${String(end)}`);
  const took = performance.now() - started;
  assert.ok(took <= (spec.graceMs ?? 8000), `${spec.id} took ${Math.round(took)} ms to end`);
  assert.deepEqual(await listFolders(folders), before, `${spec.id} leaves no file behind`);
  const patience = performance.now() + 5000;
  for (let left = await childProcesses(); left.some((pid) => !processes.includes(pid)); left = await childProcesses()) {
    assert.ok(performance.now() < patience, `${spec.id} leaves no process behind, but ${left.join(', ')}`);
    await pause(20);
  }
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

async function listFolders(folders: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(folders.map((folder) => readdir(folder, { recursive: true }).catch(() => [])));
  return lists.flat().toSorted();
}

/** Processes below this one; none where the system does not tell. */
async function childProcesses(): Promise<string[]> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(names.map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')));
  const rows = stats.map((text) => ({
    pid: text.split(' ')[0]!,
    state: text.slice(text.lastIndexOf(')') + 2).split(' ')[0],
    parent: text.slice(text.lastIndexOf(')') + 2).split(' ')[1],
  }));
  return rows.filter(({ parent, state }) => parent === String(process.pid) && state !== 'Z').map(({ pid }) => pid);
}
