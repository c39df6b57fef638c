import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { causeKeyOf } from './failures.ts';
import { writeMail } from './mail.ts';
import { oneLine } from './plain.ts';
import { toData } from './data.ts';
import type { Facts } from './types.ts';

const at = (time: string): Date => new Date(`2026-11-20T${time}Z`);

const failed: Facts = {
  channel: 'error',
  limit: null,
  projectName: 'Penstock',
  orchestrationName: 'Nightly sales',
  job: {
    runId: 'r_1',
    number: 77,
    path: '77',
    project: '1',
    lane: 'orchestration/12',
    status: 'error',
    createdTime: at('12:05:00'),
    startTime: at('12:05:01'),
    endTime: at('13:06:42'),
    orchestrationId: 12,
    orchestrationName: 'Nightly sales',
    initializedBy: 'scheduler',
    initiatorId: 31,
    emails: [],
    notifications: [],
    usualSeconds: null,
    nextTime: new Date('2026-11-21T02:15:00Z'),
  },
  url: 'https://penstock.tern.example/jobs/77',
  initiator: 'Orchestrator Nightly sales',
  tasks: [
    { position: 2, name: 'sql.transformation', message: 'the table orders is gone', advice: 'Look for it.' },
    { position: 3, name: 'hooks.tern.example', message: 'The component answered 500', advice: 'Ask its makers.' },
  ],
  taskCount: 2,
  cause: 'Task 2 (sql.transformation): the table orders is gone',
  advice: 'Look for it.',
  causeKey: 'sql.transformation: the table orders is gone',
  others: 3,
  now: at('13:06:42'),
};

const cases: Readonly<Record<string, Facts>> = {
  error: failed,
  warning: {
    ...failed,
    channel: 'warning',
    job: { ...failed.job, status: 'warning', initializedBy: 'manually', nextTime: null },
    initiator: 'kim@tern.example',
    tasks: failed.tasks.slice(0, 1),
    taskCount: 25,
    others: 1,
  },
  waiting: {
    ...failed,
    channel: 'waiting',
    limit: 30,
    job: { ...failed.job, status: 'waiting', startTime: null, endTime: null, initializedBy: 'trigger' },
    tasks: [],
    taskCount: 0,
    cause: 'Job 76 of the same orchestration has not ended',
    advice: 'Look at job 76: wait for its end, or kill it.',
    others: 0,
    url: null,
  },
  processing: {
    ...failed,
    channel: 'processing',
    limit: 20,
    job: { ...failed.job, status: 'processing', endTime: null, usualSeconds: 3000 },
    tasks: [{ position: 1, name: 'penstock.sync', message: '', advice: '' }],
    taskCount: 1,
    cause: 'Jobs of this orchestration usually take 50 min',
    advice: 'Look at what the running tasks wait for, or kill the job.',
    others: 0,
  },
};

/** A file beside this one; written anew when the variable `GOLDEN` is `write`. */
function golden(name: string, actual: string): string {
  const path = join(import.meta.dirname, 'golden', name);
  if (process.env['GOLDEN'] === 'write') writeFileSync(path, actual);
  return readFileSync(path, 'utf8');
}

describe('the mail', () => {
  for (const [channel, facts] of Object.entries(cases)) {
    it(`of ${channel} is what it was agreed to be, as text, as HTML and as data`, () => {
      const { text, html } = writeMail(facts);
      assert.equal(text, golden(`${channel}.txt`, text));
      assert.equal(html, golden(`${channel}.html.txt`, html));
      const data = toData(facts);
      assert.deepEqual(data, JSON.parse(golden(`${channel}.json`, `${JSON.stringify(data, null, 2)}\n`)));
    });
  }

  it('has the subjects of the contract', () => {
    assert.deepEqual(
      Object.values(cases).map((facts) => writeMail(facts).subject),
      [
        '[Penstock] Orchestration "Nightly sales" finished with error',
        '[Penstock] Orchestration "Nightly sales" finished with warning',
        '[Penstock] Orchestration "Nightly sales" is waiting for 30 minutes',
        '[Penstock] Orchestration "Nightly sales" is running 20 % longer than usual',
      ],
    );
  });

  it('shows names and messages that look like HTML as text', () => {
    const evil = `"><img src=x onerror='alert(1)'>&`;
    const { html } = writeMail({
      ...failed,
      orchestrationName: evil,
      projectName: evil,
      initiator: evil,
      cause: evil,
      advice: evil,
      url: `https://x/${evil}`,
      tasks: [{ position: 1, name: evil, message: evil, advice: evil }],
    });
    assert.doesNotMatch(html, /<img|'alert|"><img|&(?!amp;|lt;|gt;|quot;|#39;)/);
    assert.match(html, /&quot;&gt;&lt;img src=x onerror=&#39;alert\(1\)&#39;&gt;&amp;/);
  });
});

describe('one line', () => {
  it('has no line breaks, control characters, turned directions or halves of characters', () => {
    assert.equal(
      oneLine('a\r\nBcc: x\u2028b\u0000c\td\u202ee\u2067f\ud800g', 100),
      'a Bcc: x b c defg'.replace('fg', 'f\ufffdg'),
    );
    assert.equal(oneLine('ab😀cd', 4), 'ab…');
    assert.equal(oneLine('שלום', 100), 'שלום');
    assert.equal(oneLine('x'.repeat(5), 5), 'xxxxx');
  });
});

describe('the cause', () => {
  it('is the same when only numbers and ids differ', () => {
    const key = (message: string): string => causeKeyOf({ name: 'http.call', message });
    assert.equal(key('job 77 took 12 s'), key('job 1078 took 9 s'));
    assert.equal(key(`look for penstock-${'ab'.repeat(16)}`), key(`look for penstock-${'09'.repeat(16)}`));
    assert.notEqual(key('a'), key('b'));
  });
});
