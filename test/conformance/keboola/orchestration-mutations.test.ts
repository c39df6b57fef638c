import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startRig, type Rig } from './rig.ts';

type Json = Record<string, unknown>;

const GOOD = {
  name: 'mutated',
  crontabRecord: '0 * * * *',
  active: true,
  zone: 'UTC',
  overlap: 'skip',
  catchUp: 'all',
  notifications: [{ email: 'a@tern.example', channel: 'waiting', parameters: { timeout: 10 } }],
  tasks: [
    {
      component: 'a',
      action: 'run',
      actionParameters: { '#key': 'x', list: [1, { a: [] }] },
      timeoutMinutes: 5,
      phase: 'p',
    },
    { componentUrl: 'https://tern.example/run', continueOnFailure: true, active: false, id: 3 },
  ],
};

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  '',
  ' ',
  '0',
  'true',
  '\u0001',
  '\ud800',
  '\u202e',
  '********',
  "'; drop table orchestration; --",
  '$1',
  '{}',
  'x'.repeat(5000),
  [],
  [[]],
  [null],
  {},
  { 0: {} },
  { '-1': {} },
  { '1e3': {} },
  { length: 3 },
  { constructor: { prototype: {} } },
  { rawJSON: '1' },
  { '#a': '********' },
  { toString: 'x', valueOf: 1 },
];

/** Every path to a value inside a JSON value, and some that are not there. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inside = Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
  return [path, ...inside, [...path, '__proto__'], [...path, '7'], [...path, '']];
}

function withValue(path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  const copy = structuredClone(GOOD) as Json;
  const parent = path.slice(0, -1).reduce<Json>((at, key) => at[key] as Json, copy);
  Object.defineProperty(parent, path.at(-1)!, { value, enumerable: true, configurable: true, writable: true });
  return copy;
}

void suite('an orchestration with any one value replaced by any other', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ works: false });
  });
  after(() => rig.close());

  test('is taken and read again alike, or refused with a reason; never an error of the server', async () => {
    const { body: made } = await rig.ask('POST', '/orchestrations', { body: GOOD });
    const path = `/orchestrations/${String((made as Json)['id'])}`;
    const counts = { taken: 0, refused: 0 };
    const all = pathsOf(GOOD).flatMap((where) => VALUES.map((value) => withValue(where, value)));
    // One in four, which are others at every place: there are 33 values.
    for (const body of all.filter((_body, index) => index % 4 === 0)) {
      const reply = await rig.ask('PUT', path, { body });
      const about = `${JSON.stringify(body).slice(0, 600)}: ${reply.text.slice(0, 300)}`;
      if (reply.status === 200) {
        counts.taken += 1;
        continue;
      }
      counts.refused += 1;
      assert.equal(reply.status, 400, about);
      const { message, status } = reply.body as { message: string; status: string };
      assert.equal(status, 'error', about);
      assert.match(message, /^(?:[a-zA-Z]+(?:\[\d+\])?[^:]*: |The request body must be|Bad JSON format)/, about);
      assert.ok(message.length < 600, about);
    }
    assert.ok(counts.taken > 50 && counts.refused > 100, JSON.stringify(counts));
    const last = await rig.ask('PUT', path, { body: GOOD });
    assert.deepEqual((await rig.ask('GET', path)).body, last.body);
  });
});
