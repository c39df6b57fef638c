import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lastFire, nextFire, nextFires, parseFrequency } from './index.ts';

function fires(text: string, after: string, options: { count?: number; zone?: string } = {}): string[] {
  const { count = 3, zone = 'UTC' } = options;
  return nextFires(parseFrequency(text), count, { after: new Date(after), zone }).map((instant) =>
    instant.toISOString().replace(':00.000Z', 'Z'),
  );
}

const table: [text: string, after: string, expected: string[]][] = [
  ['*/20 * * * *', '2026-01-01T00:00:00Z', ['2026-01-01T00:20Z', '2026-01-01T00:40Z', '2026-01-01T01:00Z']],
  ['5,10-12 3 * * *', '2026-01-01T03:05:00Z', ['2026-01-01T03:10Z', '2026-01-01T03:11Z', '2026-01-01T03:12Z']],
  ['0 0 * * 0', '2026-01-01T00:00:00Z', ['2026-01-04T00:00Z', '2026-01-11T00:00Z', '2026-01-18T00:00Z']],
  ['0 0 * * 7', '2026-01-01T00:00:00Z', ['2026-01-04T00:00Z', '2026-01-11T00:00Z', '2026-01-18T00:00Z']],
  ['0 0 * * SUN', '2026-01-01T00:00:00Z', ['2026-01-04T00:00Z', '2026-01-11T00:00Z', '2026-01-18T00:00Z']],
  ['0 0 * * fri-7', '2026-01-01T00:00:00Z', ['2026-01-02T00:00Z', '2026-01-03T00:00Z', '2026-01-04T00:00Z']],
  ['0 12 1 JAN,jul *', '2026-01-01T12:00:00Z', ['2026-07-01T12:00Z', '2027-01-01T12:00Z', '2027-07-01T12:00Z']],
  ['0 0 29 2 *', '2026-01-01T00:00:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z', '2036-02-29T00:00Z']],
  // Both day fields restricted: either is enough.
  ['0 0 13 * 5', '2026-03-28T00:00:00Z', ['2026-04-03T00:00Z', '2026-04-10T00:00Z', '2026-04-13T00:00Z']],
  ['0 0 1 1 * 2030', '2026-01-01T00:00:00Z', ['2030-01-01T00:00Z']],
  ['0 0 1 1 * 2027-2031/2', '2026-01-01T00:00:00Z', ['2027-01-01T00:00Z', '2029-01-01T00:00Z', '2031-01-01T00:00Z']],
  ['0 0 1 1 * 2020', '2026-01-01T00:00:00Z', []],
  ['0 30 4 * * * *', '2026-01-01T00:00:00Z', ['2026-01-01T04:30Z', '2026-01-02T04:30Z', '2026-01-03T04:30Z']],
  ['@hourly', '2026-01-01T00:30:00Z', ['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z']],
  ['Daily', '2026-01-01T00:30:00Z', ['2026-01-02T00:00Z', '2026-01-03T00:00Z', '2026-01-04T00:00Z']],
  ['@weekly', '2026-01-01T00:30:00Z', ['2026-01-04T00:00Z', '2026-01-11T00:00Z', '2026-01-18T00:00Z']],
  ['monthly', '2026-01-01T00:30:00Z', ['2026-02-01T00:00Z', '2026-03-01T00:00Z', '2026-04-01T00:00Z']],
  ['@YEARLY', '2026-01-01T00:30:00Z', ['2027-01-01T00:00Z', '2028-01-01T00:00Z', '2029-01-01T00:00Z']],
  ['@every 90m', '2026-01-01T00:00:00Z', ['2026-01-01T01:30Z', '2026-01-01T03:00Z', '2026-01-01T04:30Z']],
  ['@every 2h', '2026-01-01T01:00:00Z', ['2026-01-01T02:00Z', '2026-01-01T04:00Z', '2026-01-01T06:00Z']],
  // 45 minutes is a true distance: it does not begin again every hour.
  ['45-minutes', '1970-01-01T00:00:00Z', ['1970-01-01T00:45Z', '1970-01-01T01:30Z', '1970-01-01T02:15Z']],
  ['1-minute', '2026-01-01T00:00:00Z', ['2026-01-01T00:01Z', '2026-01-01T00:02Z', '2026-01-01T00:03Z']],
  ['5-HOURS', '1970-01-01T20:00:00Z', ['1970-01-02T01:00Z', '1970-01-02T06:00Z', '1970-01-02T11:00Z']],
  ['3-days', '1970-01-01T00:00:00Z', ['1970-01-04T00:00Z', '1970-01-07T00:00Z', '1970-01-10T00:00Z']],
  ['2-weeks', '1970-01-04T00:00:00Z', ['1970-01-18T00:00Z', '1970-02-01T00:00Z', '1970-02-15T00:00Z']],
  ['5-months', '1970-01-01T00:00:00Z', ['1970-06-01T00:00Z', '1970-11-01T00:00Z', '1971-04-01T00:00Z']],
  ['2-years', '2026-06-01T00:00:00Z', ['2028-01-01T00:00Z', '2030-01-01T00:00Z', '2032-01-01T00:00Z']],
  ['manual', '2026-01-01T00:00:00Z', []],
];

describe('a frequency', () => {
  for (const [text, after, expected] of table) {
    it(`"${text}" after ${after} fires at ${expected.join(', ') || 'no instant'}`, () => {
      assert.deepEqual(fires(text, after), expected);
    });
  }

  const refused = [
    '',
    '  ',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * 32 * *',
    '* * * 13 *',
    '* * * * 8',
    '5-1 * * * *',
    '0 0 * * fri-mon',
    '*/0 * * * *',
    '*/70 * * * *',
    '-1 * * * *',
    '1,,2 * * * *',
    '1- * * * *',
    '1-2-3 * * * *',
    '* * * *',
    '* * * * * * * *',
    '0 0 30 2 *',
    '0 0 L * *',
    'H * * * *',
    '? * * * *',
    '0 0 * foo *',
    '0 0 1 1 * 1969',
    '60 * * * * * *',
    '0-minutes',
    '-5-minutes',
    '5-fortnights',
    '1.5-hours',
    '@every 0s',
    '@every 5d',
    '@every',
    '@sometimes',
    'often',
    'constructor',
    '@reboot',
  ];
  for (const text of refused) {
    it(`"${text}" is refused`, () => {
      assert.throws(() => parseFrequency(text), { kind: 'bad_request' });
    });
  }

  it('counts seconds when the line has seven fields', () => {
    const next = nextFire(parseFrequency('*/20 * * * * * *'), new Date('2026-01-01T00:00:05Z'));
    assert.equal(next?.toISOString(), '2026-01-01T00:00:20.000Z');
    assert.equal(nextFire(parseFrequency('@every 7s'), new Date(0))?.getTime(), 7000);
  });

  it('follows the clock of its zone across both changes in Berlin', () => {
    const zone = 'Europe/Berlin';
    assert.deepEqual(fires('0 5 * * *', '2026-03-28T00:00:00Z', { zone }), [
      '2026-03-28T04:00Z',
      '2026-03-29T03:00Z',
      '2026-03-30T03:00Z',
    ]);
    // 02:30 does not exist on 29 March: once all the same, an hour later by the clock on the wall.
    assert.deepEqual(fires('30 2 * * *', '2026-03-28T12:00:00Z', { zone, count: 2 }), [
      '2026-03-29T01:30Z',
      '2026-03-30T00:30Z',
    ]);
    // 02:30 exists twice on 25 October: once.
    assert.deepEqual(fires('30 2 * * *', '2026-10-24T12:00:00Z', { zone, count: 2 }), [
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
    // Every hour stays every hour.
    assert.deepEqual(fires('0 * * * *', '2026-10-24T23:30:00Z', { zone, count: 4 }), [
      '2026-10-25T00:00Z',
      '2026-10-25T01:00Z',
      '2026-10-25T02:00Z',
      '2026-10-25T03:00Z',
    ]);
    assert.deepEqual(fires('0 0 1 1 * 2027', '2026-01-01T00:00:00Z', { zone }), ['2026-12-31T23:00Z']);
  });

  it('knows the last instant before one, which the next one follows', () => {
    const at = new Date('2026-05-05T05:05:05Z');
    for (const [text] of table) {
      const frequency = parseFrequency(text);
      const last = lastFire(frequency, at);
      if (last === undefined) continue;
      assert.ok(last <= at);
      const next = nextFire(frequency, last);
      assert.ok(next === undefined || next > at, text);
      assert.deepEqual(nextFire(frequency, new Date(last.getTime() - 1)), last, text);
      assert.deepEqual(lastFire(frequency, last), last, text);
    }
  });
});
