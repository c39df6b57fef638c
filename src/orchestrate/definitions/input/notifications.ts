import { toFailure } from '../../../errors.ts';
import type { Outbound } from '../../../outbound/index.ts';
import { readEmail } from '../../emails.ts';
import type { Channel, NotificationRule } from '../../types.ts';
import { isObject, readList, readObject, readText, readWhole, refuse, show } from './fields.ts';

const CHANNELS: readonly Channel[] = ['error', 'warning', 'waiting', 'processing'];
/** The number that a channel cannot do without. */
const NEEDED: Partial<Record<Channel, string>> = { waiting: 'timeout', processing: 'tolerance' };

/** The parameter of a webhook that signs what is sent to it. */
export const SECRET = '#secret';
const LONGEST_SECRET = 255;
const WEBHOOK = /^https?:\/\//i;

/**
 * Checks a list of notifications (keboola contract 5.3); throws `bad_request` naming the first field that is wrong. The
 * secrets of webhooks are still in clear.
 */
export function readNotifications(
  sent: unknown,
  field: string,
  outbound: Pick<Outbound, 'checkUrl'>,
): readonly NotificationRule[] {
  return readList(sent, field).map((rule, index) => readRule(rule, `${field}[${index}]`, outbound));
}

function readRule(sent: unknown, field: string, outbound: Pick<Outbound, 'checkUrl'>): NotificationRule {
  if (!isObject(sent)) throw refuse(field, 'must be an object');
  const email = readRecipient(sent['email'], `${field}.email`, outbound);
  const channel = CHANNELS.find((known) => known === sent['channel']);
  if (channel === undefined) throw refuse(`${field}.channel`, `must be one of ${CHANNELS.join(', ')}`);
  const parameters = readObject(sent['parameters'], `${field}.parameters`);
  const needed = NEEDED[channel];
  if (needed !== undefined) {
    readWhole(parameters[needed], `${field}.parameters.${needed}`, [1, Number.MAX_SAFE_INTEGER]);
  }
  for (const key of Object.keys(parameters).filter((name) => name.startsWith('#'))) {
    const name = `${field}.parameters.${show(key)}`;
    if (key !== SECRET || !WEBHOOK.test(email)) throw refuse(name, `only ${SECRET} of a webhook is kept secret`);
    readText(parameters[key], name, LONGEST_SECRET);
  }
  return { email, channel, parameters };
}

/** An e-mail address, or the https address of a webhook. */
function readRecipient(value: unknown, field: string, outbound: Pick<Outbound, 'checkUrl'>): string {
  if (typeof value !== 'string' || !WEBHOOK.test(value)) return readEmail(value, field);
  try {
    return outbound.checkUrl(value);
  } catch (thrown) {
    throw refuse(field, toFailure(thrown).message);
  }
}
