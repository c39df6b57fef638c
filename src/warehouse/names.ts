import { Failure } from '../errors.ts';
import type { TableName } from '../lakehouse/index.ts';
import type { ListPage, Namespace, PageQuery, TableId } from './types.ts';

const LONGEST = 255;

/** A namespace as the rows of JDBC catalogs hold it: levels joined by dots. */
export function joinLevels(namespace: Namespace): string {
  return namespace.join('.');
}

export function splitLevels(text: string): Namespace {
  return text.split('.');
}

/** Throws `bad_request` unless the levels may name a new namespace. */
export function checkNamespace(namespace: Namespace): void {
  if (namespace.length === 0 || joinLevels(namespace).length > LONGEST) {
    throw new Failure('bad_request', `A namespace needs levels of 1 to ${LONGEST} characters altogether.`);
  }
  for (const level of namespace) {
    if (level === '' || /[\p{Cc}.]/u.test(level)) {
      throw new Failure('bad_request', 'A level of a namespace must not be empty nor hold dots or control characters.');
    }
  }
}

/** Throws `bad_request` unless the text may name a new table. */
export function checkTableName(name: string): void {
  if (name === '' || name.length > LONGEST || /\p{Cc}/u.test(name)) {
    throw new Failure('bad_request', `A table name has 1 to ${LONGEST} characters, none of them a control character.`);
  }
}

/** The table as the catalog's rows name it. */
export function rowName({ namespace, name }: TableId): TableName {
  return { database: joinLevels(namespace), table: name };
}

/** As people read it. */
export function showTable({ namespace, name }: TableId): string {
  return `${joinLevels(namespace)}.${name}`;
}

export function missingNamespace(namespace: Namespace): Failure {
  const reason = `There is no namespace ${joinLevels(namespace)}.`;
  return new Failure('not_found', reason, { details: [{ field: 'namespace', reason: 'missing' }] });
}

export function missingTable(table: TableId): Failure {
  return new Failure('not_found', `There is no table ${showTable(table)}.`, {
    details: [{ field: 'table', reason: 'missing' }],
  });
}

export function takenTable(table: TableId): Failure {
  return new Failure('conflict', `The table ${showTable(table)} exists already.`, {
    details: [{ field: 'table', reason: 'exists' }],
  });
}

const MOST_ITEMS = 1000;

/** The part of a sorted list that a client asks for; all of it when it asks for no pages. */
export function cutPage<Item>(
  sorted: readonly Item[],
  nameOf: (item: Item) => string,
  { size, token }: PageQuery,
): ListPage<Item> {
  if (size === undefined && token === undefined) return { items: sorted };
  const after = token ? Buffer.from(token, 'base64url').toString() : undefined;
  const start = after === undefined ? 0 : sorted.findIndex((item) => nameOf(item) > after);
  if (start === -1) return { items: [] };
  const items = sorted.slice(start, start + Math.min(size ?? MOST_ITEMS, MOST_ITEMS));
  const last = items.at(-1);
  if (last === undefined || start + items.length >= sorted.length) return { items };
  return { items, next: Buffer.from(nameOf(last)).toString('base64url') };
}
