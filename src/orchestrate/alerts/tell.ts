import type { Transaction } from '../../store/index.ts';
import type { Message } from '../types.ts';
import { toData } from './data.ts';
import { collectFacts, type AlertRooms, type Occasion } from './facts.ts';
import { writeMail } from './mail.ts';
import type { AlertJob, Facts, Recipient } from './types.ts';

/**
 * Tells people of a job in the transaction of what happened to it. Of one job and channel an address is told once: the
 * key of the message says both.
 */
export async function tell(
  rooms: AlertRooms,
  tx: Transaction,
  { recipients, ...occasion }: Occasion & { readonly job: AlertJob; readonly recipients: readonly Recipient[] },
): Promise<void> {
  if (recipients.length === 0) return;
  const facts = await collectFacts(rooms, tx, occasion);
  const byLimit = new Map<number | null, ReturnType<typeof write>>();
  const messages = recipients.map(({ to, limit, sealedSecret }): Message => {
    const written = byLimit.get(limit) ?? write({ ...facts, limit });
    byLimit.set(limit, written);
    return {
      ...written,
      key: `job/${facts.job.number}/${facts.channel}/${to}`,
      to,
      ...(sealedSecret !== undefined && { sealedSecret }),
    };
  });
  await rooms.messages.send(tx, messages);
  rooms.world.reach('orchestrate.alert-written');
}

function write(facts: Facts): Omit<Message, 'key' | 'to'> {
  const { job, channel } = facts;
  return {
    project: job.project,
    orchestrationId: job.orchestrationId,
    jobId: job.number,
    channel,
    ...writeMail(facts),
    cause: facts.causeKey,
    data: toData(facts),
  };
}
