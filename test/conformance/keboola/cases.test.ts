import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Role } from '../../../src/access/index.ts';
import { matches } from '../olake/matching.ts';
import type { Reply } from '../olake/wire.ts';
import { startRig, MASTER, type Rig } from './rig.ts';

/** A request and what has to come back, side by side, as the files in `cases/` hold them. */
interface Step {
  readonly note?: string;
  /** Default `master`; `none` sends no credential; others are clients of the rig or names that were kept. */
  readonly as?: string;
  readonly send: string;
  readonly body?: unknown;
  /** Instead of `body`: sent as it is. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** Of the answer, as far as it is given. */
  readonly reply?: unknown;
  /** All keys of the answer, in their order. */
  readonly keys?: readonly string[];
  /** Null: the header is absent. */
  readonly replyHeaders?: Readonly<Record<string, string | null>>;
  /** Names for values of the answer, e.g. `{"id": "token.id"}`; later steps say `{{id}}`. */
  readonly keep?: Readonly<Record<string, string>>;
}

interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

const folder = new URL('cases/', import.meta.url);
let rig: Rig;
/** What clients show, by their names in the files. */
const clients: Record<string, string> = { master: MASTER };

before(async () => {
  rig = await startRig({ works: false });
  clients['manager'] = (await rig.newToken({ canManageTokens: true })).text;
  clients['plain'] = (await rig.newToken()).text;
  for (const role of ['editor', 'viewer'] as const) clients[role] = await apiTokenOf(role);
});
after(() => rig?.close());

async function apiTokenOf(role: Role): Promise<string> {
  const user = { username: `the-${role}`, password: 'pass', email: `${role}@tern.example`, role };
  await rig.access.createUser(user);
  return (await rig.access.signIn({ ...user, address: '10.0.0.1' })).token;
}

for (const file of (await readdir(folder)).toSorted()) {
  const cases = JSON.parse(await readFile(new URL(file, folder), 'utf8')) as readonly Case[];
  describe(`requests and answers of ${file}`, () => {
    for (const { name, steps } of cases) {
      it(name, async () => {
        const known: Record<string, string> = { url: rig.url };
        for (const step of steps) {
          const reply = await sendStep(step, known);
          checkReply(step, reply, known);
          for (const [key, path] of Object.entries(step.keep ?? {})) known[key] = String(dig(reply.body, path));
        }
      });
    }
  });
}

function sendStep(step: Step, known: Readonly<Record<string, string>>): Promise<Reply> {
  const [method = '', path = ''] = fill(step.send, known).split(' ');
  const { as = 'master', text, body, headers } = step;
  return rig.ask(method, path, {
    token: as === 'none' ? null : (clients[as] ?? fill(`{{${as}}}`, known)),
    ...(text !== undefined && { text: fill(text, known) }),
    ...(body !== undefined && { text: fill(JSON.stringify(body), known) }),
    ...(headers && { headers }),
  });
}

function checkReply(step: Step, reply: Reply, known: Readonly<Record<string, string>>): void {
  const where = `${step.send} ${step.note ?? ''}`;
  assert.equal(reply.status, step.status, `${where}: ${reply.text.slice(0, 500)}`);
  if (step.reply !== undefined) matches(reply.body, JSON.parse(fill(JSON.stringify(step.reply), known)), where);
  if (step.keys) assert.deepEqual(Object.keys(reply.body as object), step.keys, where);
  for (const [name, value] of Object.entries(step.replyHeaders ?? {})) {
    assert.equal(reply.headers[name] ?? null, value, `${where} ${name}`);
  }
}

/** Replaces `{{name}}` by what is known; `"{{name:number}}"` with its quotes by the bare value. */
function fill(text: string, known: Readonly<Record<string, string>>): string {
  const value = (name: string): string => {
    assert.ok(name in known, `nothing is known as ${name}`);
    return known[name]!;
  };
  return text
    .replaceAll(/"\{\{(\w+):number\}\}"/g, (_all, name: string) => value(name))
    .replaceAll(/\{\{(\w+)\}\}/g, (_all, name: string) => value(name));
}

function dig(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);
}
