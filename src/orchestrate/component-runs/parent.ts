import type { Engine, RunPlan } from '../../engine/index.ts';

/**
 * What a path given by a client (`X-KBC-RunId`) makes of a plan: the child of that run if it is one of this project, else
 * a run that merely carries the path.
 */
export async function parentOf(
  engine: Pick<Engine, 'getByNumber'>,
  project: string,
  path: string | null,
): Promise<Pick<RunPlan, 'parentRunId' | 'parentPath'>> {
  if (path === null) return {};
  const number = Number(path.split('.').at(-1));
  const run = Number.isSafeInteger(number) ? await engine.getByNumber(number) : undefined;
  return run?.project === project && run.path === path ? { parentRunId: run.id } : { parentPath: path };
}
