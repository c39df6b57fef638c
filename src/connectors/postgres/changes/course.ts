import type { PostgresConfig } from '../config.ts';
import { connect } from '../connect.ts';
import { parseLsn } from './lsn.ts';

/** Whose log it is, and which of its histories: a server that takes over, or is put back in time, begins a new one. */
export interface Course {
  readonly system: string;
  readonly timeline: number;
}

/** The course that a server is on, with those that it comes from and where it left them. */
export interface CourseFacts extends Course {
  readonly left: ReadonlyMap<number, bigint>;
}

/** Asks by the commands of replication, which whoever may read the log may give. */
export async function readCourse(config: PostgresConfig, signal: AbortSignal): Promise<CourseFacts> {
  const connection = await connect(config, signal, { replication: true });
  try {
    const [system, number] = (await connection.query('IDENTIFY_SYSTEM'))[0] ?? [];
    const timeline = Number(number);
    // The first one has no history.
    const told = timeline > 1 ? (await connection.query(`TIMELINE_HISTORY ${timeline}`))[0]?.[1] : '';
    return { system: system ?? '', timeline, left: parseHistory(told ?? '') };
  } finally {
    await connection.close();
  }
}

/** Lines of number, place, reason; comments begin with `#`. */
function parseHistory(text: string): ReadonlyMap<number, bigint> {
  const lines = text.split('\n').map((line) => /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line));
  return new Map(lines.flatMap((line) => (line ? [[Number(line[1]), parseLsn(line[2] ?? '')]] : [])));
}

/** True when what was written up to the place, on its course, is part of the server's own history. */
export function isOnCourse({ lsn, course }: { lsn: bigint; course: Course | undefined }, facts: CourseFacts): boolean {
  if (!course) return true;
  if (course.system !== facts.system) return false;
  const left = course.timeline === facts.timeline ? lsn : facts.left.get(course.timeline);
  return left !== undefined && lsn <= left;
}
