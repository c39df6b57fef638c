import { Failure } from '../../errors.ts';
import { LAKE } from './lake-names.ts';
import { findTarget, type Target } from './targets.ts';

/** The schema in which a task's end is noted, in the transaction that it is of. */
export const OWN_SCHEMA = 'penstock';

/** Throws `forbidden` for a statement that would change what is not the user's: tables of the lake, our notes. */
export function refuseForeignTargets(sql: string): void {
  const target = findTarget(sql);
  if (target === undefined) return;
  const name = target.name.map((part) => part.toLowerCase());
  if (name.length > 1 && name[0] === LAKE) throw lakeIsReadOnly(target);
  const isSchema = target.kind === 'SCHEMA';
  if (isSchema && target.verb === 'CREATE' && name.at(-1) === LAKE) {
    throw new Failure('forbidden', `A schema cannot be called "${LAKE}": this is where the lake tables are seen`, {
      advice: 'Choose another name.',
    });
  }
  const schema = isSchema ? name.at(-1) : target.kind === 'COLUMN' ? name.at(-3) : name.at(-2);
  if (schema !== OWN_SCHEMA) return;
  throw new Failure(
    'forbidden',
    `${target.text} cannot be changed: the schema "${OWN_SCHEMA}" holds the notes by which no run is done twice; use a schema of your own`,
    { advice: 'Use a schema of your own.' },
  );
}

/** What a write to a lake table is answered with; without a target where its text does not name one. */
export function lakeIsReadOnly(target?: Pick<Target, 'text' | 'verb'>): Failure {
  const what = target === undefined ? `What is in "${LAKE}"` : target.text;
  return new Failure(
    'forbidden',
    `${what} cannot be written here: lake tables are read-only in SQL, they are written by syncs. Write to a table of your own, e.g. create table mine as select … from ${LAKE}.…`,
    { advice: 'Write to a table of the database of the project.' },
  );
}
