import { sql } from 'kysely';
import type { Queryable, Transaction } from '../store/index.ts';
import type { MessageQuery, MessageState, MessageView, NewMessage } from './types.ts';

const columns = sql`id, project, orchestration_id as "orchestrationId", job_number as "jobId", channel, recipient as "to",
  subject, text, cause, state, attempts, last_error as "lastError", created_at as "createdTime", sent_at as "sentTime"`;

/** What a delivery needs. */
export interface DeliveryRow {
  readonly id: number;
  readonly key: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly data: unknown;
  readonly sealedSecret: string | null;
  readonly state: MessageState;
}

/** Rows of one statement: they carry texts, and many people may be told at once. */
const BATCH = 100;

/** Writes messages that are not there yet; answers those that were written. */
export async function insertMessages(
  tx: Transaction,
  messages: readonly NewMessage[],
  stateOf: (message: NewMessage) => MessageState,
): Promise<readonly { readonly id: number; readonly state: MessageState }[]> {
  const written: { id: number; state: MessageState }[] = [];
  for (let start = 0; start < messages.length; start += BATCH) {
    written.push(...(await insertBatch(tx, messages.slice(start, start + BATCH), stateOf)));
  }
  return written;
}

async function insertBatch(
  tx: Transaction,
  messages: readonly NewMessage[],
  stateOf: (message: NewMessage) => MessageState,
): Promise<readonly { readonly id: number; readonly state: MessageState }[]> {
  const rows = messages.map((message) => ({ ...message, state: stateOf(message) }));
  const { rows: written } = await sql<{ id: number; state: MessageState }>`
    insert into message (key, project, orchestration_id, job_number, channel, recipient, subject, text, html, data,
      sealed_secret, cause, state, sends)
    select key, project, "orchestrationId", "jobId", channel, "to", subject, text, html, data, "sealedSecret", cause, state,
      case when state = 'pending' then 1 else 0 end
    from json_to_recordset(${JSON.stringify(rows)}::json) as sent(key text, project text, "orchestrationId" bigint,
      "jobId" bigint, channel text, "to" text, subject text, text text, html text, data json, "sealedSecret" text,
      cause text, state text)
    on conflict (key) do nothing
    returning id, state`.execute(tx);
  return written;
}

export async function readDelivery(db: Queryable, id: number): Promise<DeliveryRow | undefined> {
  const { rows } = await sql<DeliveryRow>`
    select id, key, recipient as "to", subject, text, html, data, sealed_secret as "sealedSecret", state
    from message where id = ${id}`.execute(db);
  return rows[0];
}

/** Counts a try; a message that was sent stays so. */
export async function recordTry(
  db: Queryable,
  { id, state, error }: { readonly id: number; readonly state: MessageState; readonly error: string | null },
): Promise<void> {
  await sql`
    update message set attempts = attempts + 1, state = ${state}, last_error = ${error},
      sent_at = case when ${state} = 'sent' then clock_timestamp() else sent_at end
    where id = ${id} and state = 'pending'`.execute(db);
}

/** Makes a message that is not under way pending again; answers how often it was queued, undefined when it is not there. */
export async function queueAgain(tx: Transaction, project: string, id: number): Promise<number | undefined> {
  const { rows } = await sql<{ sends: number }>`
    update message set state = 'pending', sends = sends + 1, attempts = 0, last_error = null
    where id = ${id} and project = ${project} and state <> 'pending' returning sends`.execute(tx);
  return rows[0]?.sends;
}

export async function readMessage(db: Queryable, project: string, id: number): Promise<MessageView | undefined> {
  const { rows } = await sql<MessageView>`
    select ${columns} from message where id = ${id} and project = ${project}`.execute(db);
  return rows[0];
}

export async function listMessages(
  db: Queryable,
  query: MessageQuery,
): Promise<{ messages: readonly MessageView[]; total: number }> {
  const { project, jobId = null, orchestrationId = null, state = null, cause = null, limit, offset } = query;
  const matches = sql`project = ${project} and (${jobId}::bigint is null or job_number = ${jobId})
    and (${orchestrationId}::bigint is null or orchestration_id = ${orchestrationId})
    and (${state}::text is null or state = ${state}) and (${cause}::text is null or cause = ${cause})`;
  const page = await sql<MessageView>`
    select ${columns} from message where ${matches} order by id desc limit ${limit} offset ${offset}`.execute(db);
  const count = await sql<{ n: number }>`select count(*)::float8 as n from message where ${matches}`.execute(db);
  return { messages: page.rows, total: count.rows[0]!.n };
}

export async function countOfCause(db: Queryable, project: string, cause: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(distinct job_number)::float8 as n from message
    where project = ${project} and cause = ${cause} and created_at > now() - interval '1 hour'`.execute(db);
  return rows[0]!.n;
}

/** Removes what is older than `days` or beyond the newest `most`, unless it is still to be sent. */
export async function removeOldMessages(db: Queryable, keep: { days: number; most: number }): Promise<void> {
  await sql`delete from message where state <> 'pending' and (created_at < now() - make_interval(days => ${keep.days})
    or id <= (select id from message order by id desc offset ${keep.most} limit 1))`.execute(db);
}
