import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { checkCrontab, lastTick, nextTicks } from './crontab.ts';

const NOW = new Date('2026-11-20T12:00:00Z');

function ticks(text: string, count: number, { after = NOW, zone = 'UTC' } = {}): string[] {
  return nextTicks(text, { after, zone, count }).map((tick) => tick.toISOString().replace(':00.000Z', 'Z'));
}

void suite('a crontab record', () => {
  test('names the instants that the contract gives', () => {
    assert.deepEqual(ticks('1 1 1 1 1', 2), ['2027-01-01T01:01Z', '2027-01-04T01:01Z']);
    assert.deepEqual(ticks('0 0 * * 7', 1), ['2026-11-22T00:00Z']);
    assert.deepEqual(ticks('0 * * * *', 1), ['2026-11-20T13:00Z']);
  });

  test('is read with lists, ranges, steps, names and macros in any case', () => {
    assert.deepEqual(ticks('5,10-20/5,50/5 12 * * *', 6), [
      '2026-11-20T12:05Z',
      '2026-11-20T12:10Z',
      '2026-11-20T12:15Z',
      '2026-11-20T12:20Z',
      '2026-11-20T12:50Z',
      '2026-11-20T12:55Z',
    ]);
    assert.deepEqual(ticks(' 0\t6  * Dec mon-FRI ', 2), ['2026-12-01T06:00Z', '2026-12-02T06:00Z']);
    assert.deepEqual(ticks('0 0 29 2 *', 1), ['2028-02-29T00:00Z']);
    const macros = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@ANNUALLY'];
    assert.deepEqual(
      macros.map((macro) => ticks(macro, 1)[0]),
      [
        '2026-11-20T13:00Z',
        '2026-11-21T00:00Z',
        '2026-11-21T00:00Z',
        '2026-11-22T00:00Z',
        '2026-12-01T00:00Z',
        '2027-01-01T00:00Z',
        '2027-01-01T00:00Z',
      ],
    );
  });

  test('means either day when both are restricted, also where the day of the month does not exist', () => {
    assert.deepEqual(ticks('0 0 31 2 1', 2), ['2027-02-01T00:00Z', '2027-02-08T00:00Z']);
    assert.deepEqual(ticks('0 0 */1 * 1', 1), ['2026-11-23T00:00Z']);
  });

  test('is refused when it is none', () => {
    const bad = [
      '',
      ' ',
      '* * * *',
      '* * * * * *',
      '60 * * * *',
      '* 24 * * *',
      '* * 0 * *',
      '* * 32 * *',
      '* * * 13 *',
    ];
    bad.push(
      '* * * * 8',
      '5-1 * * * *',
      '*/0 * * * *',
      '0 0 31 2 *',
      '@reboot',
      '@every 5m',
      '@',
      'hourly',
      '1-2-3 * * * *',
    );
    bad.push(
      '* * * * *\n',
      '*\u00a0* * * *',
      'a * * * *',
      '-1 * * * *',
      '1.5 * * * *',
      '* * L * *',
      '* * * * 1#2',
      ', * * * *',
    );
    bad.push(
      '1,,2 * * * *',
      '*/ * * * *',
      '/5 * * * *',
      '** * * * *',
      '* * * foo *',
      '* * ? * *',
      'H * * * *',
      '1'.repeat(300),
    );
    bad.push('@constructor', '__proto__', '* * * * * command', '0 0 30 feb *');
    for (const text of bad) {
      assert.throws(
        () => checkCrontab(text, NOW),
        /^Failure: the crontab record is not understood/,
        `accepted: ${text}`,
      );
    }
  });

  test('is strictly after the instant that is asked from, and finds the last one at it', () => {
    const after = new Date('2026-11-20T13:00:00Z');
    assert.deepEqual(ticks('0 * * * *', 1, { after }), ['2026-11-20T14:00Z']);
    assert.deepEqual(lastTick('0 * * * *', { at: after, zone: 'UTC' }), after);
    assert.equal(lastTick('0 * * * *', { at: new Date(after.getTime() - 1), zone: 'UTC' })?.getUTCHours(), 12);
    assert.equal(lastTick('0 0 29 2 *', { at: after, zone: 'UTC' })?.toISOString(), '2024-02-29T00:00:00.000Z');
  });

  test('runs a local time that is skipped once right after the gap, and a repeated one once', () => {
    const zone = 'Europe/Prague';
    const spring = new Date('2027-03-27T12:00:00Z');
    assert.deepEqual(ticks('30 2 * * *', 2, { after: spring, zone }), ['2027-03-28T01:00Z', '2027-03-29T00:30Z']);
    assert.deepEqual(ticks('*/15 2 * * *', 2, { after: spring, zone }), ['2027-03-28T01:00Z', '2027-03-29T00:00Z']);
    const autumn = new Date('2026-10-24T12:00:00Z');
    assert.deepEqual(ticks('30 2 * * *', 2, { after: autumn, zone }), ['2026-10-25T00:30Z', '2026-10-26T01:30Z']);
    assert.deepEqual(ticks('0 12 * * *', 1, { after: autumn, zone: 'Asia/Kathmandu' }), ['2026-10-25T06:15Z']);
    assert.deepEqual(ticks('0 0 * * *', 2, { after: new Date('2026-09-05T12:00:00Z'), zone: 'America/Santiago' }), [
      '2026-09-06T04:00Z',
      '2026-09-07T03:00Z',
    ]);
  });

  test('agrees with a clock that looks at every minute', () => {
    const zone = 'America/New_York';
    const shown = new Intl.DateTimeFormat('en', {
      timeZone: zone,
      hour: 'numeric',
      minute: 'numeric',
      hourCycle: 'h23',
    });
    const after = new Date('2026-10-30T00:00:00Z');
    const expected: string[] = [];
    const seen = new Set<string>();
    for (let minute = 1; minute <= 5 * 1440; minute++) {
      const instant = new Date(after.getTime() + minute * 60_000);
      if (!['05:40', '17:40', '01:40'].includes(shown.format(instant))) continue;
      const local = `${new Intl.DateTimeFormat('en', { timeZone: zone }).format(instant)} ${shown.format(instant)}`;
      if (seen.has(local)) continue;
      seen.add(local);
      expected.push(instant.toISOString().replace(':00.000Z', 'Z'));
    }
    assert.deepEqual(ticks('40 1,5,17 * * *', expected.length, { after, zone }), expected);
  });
});
