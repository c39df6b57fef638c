import { Failure } from '../../../errors.ts';
import type { TableMetadata } from '../../iceberg/model.ts';
import type { TableRequirement } from './protocol.ts';
import { readList, readObject, readText, refuse } from './read.ts';

type Check = (table: TableMetadata, requirement: TableRequirement) => readonly [found: unknown, what: string];

const same = (key: keyof TableMetadata & string, what: string, asked: string = key): Check => {
  return (table, requirement) => [table[key] === requirement[asked], what];
};

/** Each answers whether it holds, and what was compared. */
const checks: Readonly<Record<string, Check>> = {
  'assert-table-uuid': (table, { uuid }) => [
    table['table-uuid'] === String(uuid).toLowerCase(),
    'the table is another one',
  ],
  'assert-ref-snapshot-id': (table, requirement) => {
    const name = readText(requirement, 'ref');
    const expected = requirement['snapshot-id'] ?? undefined;
    return [refOf(table, name) === expected, `the branch or tag ${name} has changed`];
  },
  'assert-last-assigned-field-id': same('last-column-id', 'fields were added', 'last-assigned-field-id'),
  'assert-current-schema-id': same('current-schema-id', 'the schema has changed'),
  'assert-last-assigned-partition-id': same(
    'last-partition-id',
    'partition fields were added',
    'last-assigned-partition-id',
  ),
  'assert-default-spec-id': same('default-spec-id', 'the partitioning has changed'),
  'assert-default-sort-order-id': same('default-sort-order-id', 'the sort order has changed'),
};

function refOf(table: TableMetadata, name: string): unknown {
  return name === 'main' ? table['current-snapshot-id'] : table.refs[name]?.['snapshot-id'];
}

/** Throws `commit_conflict` when one of them does not hold of the present table (undefined: there is none). */
export function checkRequirements(table: TableMetadata | undefined, requirements: readonly TableRequirement[]): void {
  for (const requirement of requirements) {
    if (requirement.type === 'assert-create') {
      if (table) throw missed('the table exists already');
      continue;
    }
    const check = Object.hasOwn(checks, requirement.type) ? checks[requirement.type] : undefined;
    if (!check) throw refuse(`The requirement "${requirement.type}" is not known here.`);
    if (!table) throw missed('the table does not exist');
    const [holds, what] = check(table, requirement);
    if (!holds) throw missed(what);
  }
}

function missed(what: string): Failure {
  return new Failure('commit_conflict', `Requirement failed: ${what}.`);
}

/** Requirements as a client sent them. */
export function readRequirements(value: unknown): TableRequirement[] {
  return readList(value ?? [], 'requirements').map((one) => {
    const requirement = readObject(one, 'requirements');
    return { ...requirement, type: readText(requirement, 'type') };
  });
}

/** True when the requirements ask for a table that does not exist yet. */
export function asksCreation(requirements: readonly TableRequirement[]): boolean {
  return requirements.some(({ type }) => type === 'assert-create');
}
