import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Reply } from '../../conformance/olake/wire.ts';
import { randomOf, shuffled } from './hostile.ts';

/** The corpus is sent in an order drawn from this; a failure prints it. Another one: FUZZ_SEED=n. */
export const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_121);
const AT_ONCE = 4;

export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Range<S extends Shot> {
  readonly shots: readonly S[];
  /** What is not sent by then is left out. */
  readonly longestMs: number;
  /** So many are sent one by one, and looked after each time; the others several at once, as an attacker would. */
  readonly singly: number;
  /** Fewer than these, of which half refused, are no test. */
  readonly least: number;
  send(shot: S): Promise<Reply>;
  /** Throws for an answer that nobody may get. */
  judge(shot: S, reply: Reply): void;
  /** What a refused call must leave as it was. */
  fingerprint(): Promise<string>;
}

/** Fires all shots in a drawn order; what is refused must change nothing, and the server must live on. */
export async function fireAll<S extends Shot>(test: TestContext, range: Range<S>): Promise<void> {
  const { longestMs, singly, least, fingerprint } = range;
  const shots = shuffled(range.shots, randomOf(SEED));
  const deadline = performance.now() + longestMs;
  let sent = 0;
  let refused = 0;
  const fire = async (shot: S): Promise<boolean> => {
    const reply = await range.send(shot);
    sent++;
    range.judge(shot, reply);
    const isRefused = reply.status >= 400;
    if (isRefused) refused++;
    return isRefused;
  };
  const volley = async (): Promise<void> => {
    for (let shot = shots.pop(); shot && performance.now() < deadline; shot = shots.pop()) await fire(shot);
  };
  for (const shot of shots.splice(0, singly)) {
    const untouched = await fingerprint();
    if (!(await fire(shot))) continue;
    assert.equal(await fingerprint(), untouched, `changed by ${describe(shot)}`);
  }
  await Promise.all(Array.from({ length: AT_ONCE }, volley));
  test.diagnostic(`${sent} sent, ${refused} refused, ${shots.length} left out`);
  assert.ok(sent > least && refused > least / 2, `${sent} sent, ${refused} refused`);
  assert.equal(({} as { role?: unknown }).role, undefined, 'a prototype was polluted');
}

/** For messages of failures: what was sent, and how to send it again. */
export function describe({ method, path, text, headers }: Shot): string {
  const shown = [method, path.slice(0, 200), text?.slice(0, 300), headers && JSON.stringify(headers).slice(0, 300)];
  return `seed ${SEED}: ${shown.filter(Boolean).join(' ')}`;
}

/** What no answer may be, whichever the face. */
export function judgeAny(shot: Shot, { status, text }: Reply): void {
  assert.ok(status < 500, `${status} ${text.slice(0, 300)}\n${describe(shot)}`);
  assert.doesNotMatch(text, /node_modules|\.ts:\d+|at async /, describe(shot));
}
