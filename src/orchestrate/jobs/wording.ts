/** The engine names a task by its key: for those of a job, its place from 0. */
const ENGINE_LINE = /^(worker lost; |the worker stops; |cancelled: )task (\d+)\b/;

/** A line of the engine about a task of a job, as people count tasks; other lines stay as they are. */
export function countFromOne(message: string): string {
  return message.replace(ENGINE_LINE, (_, before: string, key: string) => `${before}Task ${Number(key) + 1}`);
}
