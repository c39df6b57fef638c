import { Type, type TSchema } from 'typebox';
import type { Role } from '../../../access/index.ts';
import { ref } from './parts.ts';

/** Statuses that only some routes answer; those that follow from the kind of a route are added to them. */
export type Failing = 401 | 404 | 409 | 429;

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'No valid credential, or a wrong sign-in.',
  403: 'The role, the origin or the operator forbids it.',
  404: 'There is no such thing in this project.',
  409: 'The name is taken, the thing is in use, or a run has not ended.',
  413: 'The body is too large.',
  429: 'Too many attempts; `retry-after` says when to try again.',
  500: 'A defect of this server.',
  503: 'The database of this server is away; `retry-after` says when to try again.',
};

export interface AnswerKind {
  readonly role: Role | 'open';
  readonly methods: readonly string[];
  /** Shape of `data`; `file` for a download instead of the envelope. */
  readonly data: TSchema | 'file';
  readonly fails?: readonly Failing[];
  /** The answer is a page of a list. */
  readonly paged?: true;
}

/** What a route answers, by status, for the document. Nothing is checked by it and no answer is changed by it. */
export function answersOf(kind: AnswerKind): Record<string, unknown> {
  const failures = statusesOf(kind).map((status) => [status, json(REASONS[status]!, ref('Failure'))] as const);
  return { 200: kind.data === 'file' ? FILE : succeeded(kind.data, kind.paged), ...Object.fromEntries(failures) };
}

const FILE = {
  description: 'A gzipped tar.',
  content: { 'application/gzip': { schema: { type: 'string', format: 'binary' } } },
};

function succeeded(data: TSchema, paged: true | undefined): object {
  const envelope = Type.Object({ success: Type.Literal(true), message: Type.String(), data });
  const headers = { 'X-Total-Count': { type: 'integer', description: 'Items before paging.' } };
  return { ...json('Done.', envelope), ...(paged && { headers }) };
}

/** By media type: only so a reference can have a description beside it. */
function json(description: string, schema: TSchema): object {
  return { description, content: { 'application/json': { schema } } };
}

/** A body may come with every method, so every call may send one that is broken or too large. */
function statusesOf({ role, methods, fails = [] }: AnswerKind): number[] {
  const isOpen = role === 'open';
  const onlyReads = methods.every((method) => method === 'GET');
  const isClosed = role === 'editor' || role === 'admin';
  return [
    ...new Set([
      400,
      413,
      500,
      ...(isOpen ? [] : [401, 429]),
      ...(isClosed || !onlyReads ? [403] : []),
      ...(isOpen && onlyReads ? [] : [503]),
      ...fails,
    ]),
  ].toSorted((left, right) => left - right);
}
