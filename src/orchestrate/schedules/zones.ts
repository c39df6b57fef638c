const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a zone (IANA name) are ahead of UTC at an instant; both in milliseconds. */
export function offsetAt(instant: number, zone: string): number {
  if (zone === 'UTC') return 0;
  const second = Math.floor(instant / 1000) * 1000;
  const parts = formatOf(zone).formatToParts(second);
  const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value);
  const local = Date.UTC(
    number('year'),
    number('month') - 1,
    number('day'),
    number('hour'),
    number('minute'),
    number('second'),
  );
  return local - second;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const numeric = 'numeric';
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-hc-h23', {
    timeZone: zone,
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
    hourCycle: 'h23',
  });
  formats.set(zone, format);
  return format;
}

/**
 * The instant at which the clocks of a zone show a local time (written as if the zone were UTC): the first one when they
 * show it twice, the end of the gap when they never do.
 */
export function instantOf(local: number, zone: string): number {
  const before = offsetAt(local - DAY_MS, zone);
  const after = offsetAt(local + DAY_MS, zone);
  const matches = [local - before, local - after].filter((instant) => instant + offsetAt(instant, zone) === local);
  return matches.length > 0 ? Math.min(...matches) : endOfGap(local - after, local - before, zone);
}

/** The instant between two at which the clocks jump. */
function endOfGap(early: number, late: number, zone: string): number {
  const first = offsetAt(early, zone);
  let [still, changed] = [early, late];
  while (changed - still > MINUTE_MS) {
    const middle = Math.floor((still + changed) / 2 / MINUTE_MS) * MINUTE_MS;
    const probe = middle <= still ? still + MINUTE_MS : middle;
    if (offsetAt(probe, zone) === first) still = probe;
    else changed = probe;
  }
  return changed;
}
