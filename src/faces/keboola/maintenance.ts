import type { FastifyReply } from 'fastify';
import { JSON_TYPE } from './errors.ts';
import { showTime } from './times.ts';

const USUAL_SECONDS = 60;
const MOST_SECONDS = 3600;

/**
 * Tells why nothing is answered now, and when to come again (2.5). A notice begins with the time of the end if that is
 * known: `2026-11-21T12:00:00Z the database moves`.
 */
export function sendMaintenance(reply: FastifyReply, notice: string, now: Date): FastifyReply {
  const [, time = '', rest] = /^(\d{4}-\d\d-\d\dT\S+)\s*(.*)$/s.exec(notice) ?? [];
  const until = Number.isNaN(Date.parse(time)) ? null : new Date(time);
  const seconds = until === null ? USUAL_SECONDS : Math.ceil((until.getTime() - now.getTime()) / 1000);
  const reason = (until === null ? notice : rest) || 'Maintenance';
  return reply
    .code(503)
    .header('retry-after', String(Math.min(Math.max(seconds, 1), MOST_SECONDS)))
    .header('content-type', JSON_TYPE)
    .send(Buffer.from(JSON.stringify({ status: 'maintenance', estimatedEndTime: showTime(until), reason })));
}
