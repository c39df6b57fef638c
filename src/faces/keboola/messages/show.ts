import type { MessageView } from '../../../notify/index.ts';
import { showTime } from '../times.ts';

/** A message as it was written, and what became of it (11.4); messages with the same `cause` are one group. */
export function showMessage(message: MessageView) {
  const { id, orchestrationId, jobId, channel, to, subject, text, cause, state, attempts, lastError } = message;
  const createdTime = showTime(message.createdTime);
  const sentTime = showTime(message.sentTime);
  return {
    id,
    orchestrationId,
    jobId,
    channel,
    to,
    subject,
    text,
    cause,
    state,
    attempts,
    lastError,
    createdTime,
    sentTime,
  };
}
