import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { matches } from './matching.ts';
import { ADMIN, startRig, type Rig } from './rig.ts';
import { send, signIn, type Reply } from './wire.ts';

/** A request and what has to come back, side by side, as the files in `cases/` hold them. */
interface Step {
  readonly note?: string;
  /** Default admin. */
  readonly as?: 'admin' | 'member' | 'viewer' | 'anonymous';
  readonly send: string;
  readonly body?: unknown;
  /** Instead of `body`: sent as it is. */
  readonly text?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly data?: unknown;
  /** The whole answer instead of its data. */
  readonly reply?: unknown;
  readonly replyHeaders?: Record<string, string>;
  /** Names for values of the answer, e.g. `{"job": "data.id"}`; later steps say `{{job}}`. */
  readonly keep?: Record<string, string>;
  /** Sends again until the answer fits. */
  readonly until?: true;
}

interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

const WAIT_MS = 30_000;
const folder = new URL('cases/', import.meta.url);

let rig: Rig;
const clients: Record<string, Record<string, string>> = { anonymous: { 'content-type': 'application/json' } };

before(async () => {
  rig = await startRig();
  clients['admin'] = await signIn(rig.url, ADMIN);
  for (const role of ['member', 'viewer']) {
    const user = { username: `the-${role}`, password: 'pass', email: `${role}@example.com`, role };
    const made = await send(rig.url, {
      method: 'POST',
      path: '/api/v1/users',
      headers: clients['admin'],
      text: JSON.stringify(user),
    });
    assert.equal(made.status, 200, made.text);
    clients[role] = await signIn(rig.url, user);
  }
});

after(() => rig?.close());

for (const file of (await readdir(folder)).toSorted()) {
  const cases = JSON.parse(await readFile(new URL(file, folder), 'utf8')) as Case[];
  describe(`requests and answers of ${file}`, () => {
    for (const [index, { name, steps }] of cases.entries()) {
      it(name, async () => {
        const project = `${file.replace('.json', '')}-${index}`;
        const known: Record<string, string> = {
          project,
          P: `/api/v1/project/${project}`,
          I: `/internal/project/${project}`,
        };
        for (const step of steps) await runStep(step, known);
      });
    }
  });
}

async function runStep(step: Step, known: Record<string, string>): Promise<void> {
  const until = Date.now() + WAIT_MS;
  for (;;) {
    const reply = await sendStep(step, known);
    try {
      checkReply(step, reply, known);
      for (const [name, path] of Object.entries(step.keep ?? {})) known[name] = String(dig(reply.body, path));
      return;
    } catch (error) {
      if (!step.until || Date.now() > until) throw error;
      await delay(50);
    }
  }
}

function sendStep(step: Step, known: Record<string, string>): Promise<Reply> {
  const [method = '', ...path] = fill(step.send, known).split(' ');
  const text = step.text ?? (step.body === undefined ? undefined : fill(JSON.stringify(step.body), known));
  const { 'content-type': type = '', ...client } = clients[step.as ?? 'admin']!;
  const headers = { ...client, ...(text !== undefined && { 'content-type': type }), ...fillAll(step.headers, known) };
  return send(rig.url, { method, path: path.join(' '), headers, ...(text !== undefined && { text }) });
}

function checkReply(step: Step, reply: Reply, known: Record<string, string>): void {
  const where = `${step.send} ${step.note ?? ''}`;
  assert.equal(reply.status, step.status, `${where}: ${reply.text.slice(0, 500)}`);
  const expected = (value: unknown): unknown => JSON.parse(fill(JSON.stringify(value), known));
  if (step.data !== undefined) matches((reply.body as { data: unknown }).data, expected(step.data), where);
  if (step.reply !== undefined) matches(reply.body, expected(step.reply), where);
  for (const [name, value] of Object.entries(step.replyHeaders ?? {}))
    matches(reply.headers[name], value, `${where} ${name}`);
  if (reply.headers['content-type']?.includes('json')) checkEnvelope(reply, where);
}

function checkEnvelope({ body, status }: Reply, where: string): void {
  const envelope = body as Record<string, unknown>;
  assert.equal(typeof envelope['message'], 'string', where);
  assert.equal(envelope['success'], status === 200, where);
  assert.equal(Object.hasOwn(envelope, 'data'), status === 200, `${where}: data`);
}

/** Replaces `{{name}}` by what is known; `"{{name:number}}"` with its quotes by the bare value. */
function fill(text: string, known: Record<string, string>): string {
  const value = (name: string): string => {
    assert.ok(name in known, `nothing is known as ${name}`);
    return known[name]!;
  };
  return text
    .replaceAll(/"\{\{(\w+):number\}\}"/g, (_all, name: string) => value(name))
    .replaceAll(/\{\{(\w+)\}\}/g, (_all, name: string) => value(name));
}

function fillAll(headers: Record<string, string> | undefined, known: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, fill(value, known)]));
}

function dig(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);
}
