import type { SqlValue } from '../../connectors/kit/index.ts';
import { readTokens } from './tokens.ts';

export type Variables = ReadonlyMap<string, SqlValue>;

/** A statement whose variables became numbered parameters; their values never enter its text. */
export interface BoundStatement {
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** Names that look like variables and were not given: they are left as they are. */
  readonly unknown: readonly string[];
}

/** Replaces `:name` by `$1`, `$2`, …, one number for each name. */
export function bindVariables(sql: string, variables: Variables): BoundStatement {
  const numbers = new Map<string, number>();
  const unknown = new Set<string>();
  let text = '';
  for (const token of readTokens(sql)) {
    const name = token.kind === 'variable' ? token.text.slice(1) : undefined;
    if (name === undefined || !variables.has(name)) {
      if (name !== undefined) unknown.add(name);
      text += token.text;
      continue;
    }
    const number = numbers.get(name) ?? numbers.size + 1;
    numbers.set(name, number);
    text += `$${number}`;
  }
  return { text, values: [...numbers.keys()].map((name) => variables.get(name) ?? null), unknown: [...unknown] };
}
