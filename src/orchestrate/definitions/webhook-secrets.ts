import type { Secrets } from '../../access/index.ts';
import { MASK } from '../component-runs/secrets.ts';
import type { NotificationRule } from '../types.ts';
import { refuse } from './input/fields.ts';
import { SECRET } from './input/notifications.ts';

/** The place that secrets of webhooks are sealed for: who delivers messages opens them with it. */
export const WEBHOOK_SECRET = 'secret of a webhook of orchestrations';

/**
 * Rules as they are stored, with the secrets of webhooks sealed and masked. A mask stands for the secret that the same
 * address has by now; throws `bad_request` where it has none.
 */
export function sealWebhookSecrets(
  secrets: Pick<Secrets, 'seal'>,
  rules: readonly NotificationRule[],
  stored: readonly NotificationRule[],
): readonly NotificationRule[] {
  return rules.map((rule, index) => {
    const secret = rule.parameters[SECRET];
    if (typeof secret !== 'string') return rule;
    const former = stored.filter(({ email, sealedSecret }) => email === rule.email && sealedSecret !== undefined);
    const kept = (former.find(({ channel }) => channel === rule.channel) ?? former[0])?.sealedSecret;
    const sealedSecret = secret === MASK ? kept : secrets.seal(secret, WEBHOOK_SECRET);
    if (sealedSecret !== undefined)
      return { ...rule, parameters: { ...rule.parameters, [SECRET]: MASK }, sealedSecret };
    const field = `notifications[${index}].parameters.${SECRET}`;
    throw refuse(field, 'it is masked and this address has no secret; send the real value');
  });
}
