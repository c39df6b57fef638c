import type { LogPosition } from '../../kit/index.ts';
import type { Course } from './course.ts';
import { parseLsn, printLsn, readLsn } from './lsn.ts';

/** A place in the log, and the course of the server that it was read from; undefined in positions of earlier versions. */
export interface Position {
  readonly lsn: bigint;
  readonly course: Course | undefined;
}

const COURSE = /^([^|]*)\|(\d{1,20})\|(\d{1,10})$/;

/** `X/Y|system|timeline`; the last two may be absent together. Throws as `parseLsn`. */
export function parsePosition(text: LogPosition): Position {
  const [, place = text, system, timeline] = COURSE.exec(text) ?? [];
  const course = system === undefined ? undefined : { system, timeline: Number(timeline) };
  return { lsn: parseLsn(place), course };
}

export function printPosition({ lsn, course }: Position): LogPosition {
  return course ? `${printLsn(lsn)}|${course.system}|${course.timeline}` : printLsn(lsn);
}

/** The shape of the state file (OLake contract, section 5.5), and whose place it is. */
export function positionToState(text: LogPosition): unknown {
  const { lsn, course } = parsePosition(text);
  return { lsn: printLsn(lsn), ...(course && { system: course.system, timeline: course.timeline }) };
}

export function positionFromState(state: unknown): LogPosition | undefined {
  if (typeof state !== 'object' || state === null) return undefined;
  const { lsn: text, system, timeline } = state as Record<string, unknown>;
  const lsn = typeof text === 'string' ? readLsn(text) : undefined;
  if (lsn === undefined) return undefined;
  const isKnown = typeof system === 'string' && /^\d{1,20}$/.test(system) && Number.isSafeInteger(timeline);
  return printPosition({ lsn, course: isKnown ? { system, timeline: Number(timeline) } : undefined });
}
