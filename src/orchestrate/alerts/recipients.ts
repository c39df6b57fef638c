import type { Channel, NotificationRule } from '../types.ts';
import type { AlertJob, Recipient } from './types.ts';

/** The parameter of a rule that says when its deadline is. */
const LIMITS: Partial<Record<Channel, string>> = { waiting: 'timeout', processing: 'tolerance' };

/** Jobs of the schedule and of triggers tell those who are configured; nested jobs count as started by hand (11.2). */
export function tellsConfigured({ initializedBy, path }: Pick<AlertJob, 'initializedBy' | 'path'>): boolean {
  return initializedBy !== 'manually' && !path.includes('.');
}

/** Who is told of the end of a job: the channel's rules, or the addresses that were given with the start. Each once. */
export function recipientsOfEnd(job: AlertJob, channel: 'error' | 'warning'): readonly Recipient[] {
  if (!tellsConfigured(job)) return onlyFirst(job.emails.map((to) => ({ to, limit: null })));
  return onlyFirst(job.notifications.filter((rule) => rule.channel === channel).map(toRecipient));
}

/** Who is told when a deadline of the channel is reached: those whose limit is not above it. */
export function recipientsWithin(
  job: AlertJob,
  { channel, limit }: { readonly channel: Channel; readonly limit: number },
): readonly Recipient[] {
  const rules = job.notifications.filter((rule) => rule.channel === channel).map(toRecipient);
  const reached = rules.filter((recipient) => recipient.limit !== null && recipient.limit <= limit);
  // An address with several limits is told once, of the smallest.
  return onlyFirst(reached.toSorted((one, other) => one.limit! - other.limit!));
}

/** The smallest limit of the channel's rules above this one. */
export function nextLimit(
  rules: readonly NotificationRule[],
  { channel, above }: { readonly channel: Channel; readonly above: number },
): number | undefined {
  const limits = rules.filter((rule) => rule.channel === channel).map((rule) => limitOf(rule) ?? above);
  const later = limits.filter((limit) => limit > above);
  return later.length === 0 ? undefined : Math.min(...later);
}

function toRecipient(rule: NotificationRule): Recipient {
  const { email: to, sealedSecret } = rule;
  return { to, limit: limitOf(rule), ...(sealedSecret !== undefined && { sealedSecret }) };
}

function limitOf({ channel, parameters }: NotificationRule): number | null {
  const limit = parameters[LIMITS[channel] ?? ''];
  return typeof limit === 'number' && limit >= 1 ? limit : null;
}

function onlyFirst(recipients: readonly Recipient[]): readonly Recipient[] {
  const known = new Set<string>();
  return recipients.filter(({ to }) => known.size < known.add(to).size);
}
