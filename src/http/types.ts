import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from '../access/index.ts';
import type { Failure } from '../errors.ts';
import type { CorsHook } from './origin.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard of the face before the handler runs; null on open routes without a credential. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /**
     * With `optional`, an absent body is validated as `{}`; with `ignored`, whatever is sent is thrown away unread;
     * without either, a route with a body schema needs a body.
     */
    body?: 'optional' | 'ignored';
  }
}

/** One API face as the server hosts it: an encapsulated plugin with its own error form and its own document. */
export interface Face {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** Path prefixes that belong to this face: unknown paths below them are answered in its error form. */
  readonly prefixes: readonly string[];
  /** Reads a body of any (or no) content type as JSON; else other types than JSON are `unsupported_media`. */
  readonly readsAnyTypeAsJson?: boolean;
  /** Numbers of bodies that a double cannot hold come as raw JSON values, and so go out again as they were sent. */
  readonly keepsNumbers?: boolean;
  /** Largest body, where that is less than what the server takes. */
  readonly mostBodyBytes?: number;
  /** On every answer below its prefixes, over the server's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What pages of other sites may do here, instead of what the configured origins may. */
  readonly answerCors?: CorsHook;
  /** Path and query by which the routes know what a client asked for; undefined when that is not for this face. */
  readonly rewriteUrl?: (url: string) => string | undefined;
  /** The header, besides `Authorization`, in which its document says that tokens come. */
  readonly tokenHeader?: string;
  /** Adds routes, parsers and hooks inside the face's own encapsulation context. */
  register(app: FastifyInstance): void | Promise<void>;
  /** The answer for a failure, in the face's form. Called for every error, also 404, 405, 413 and parse errors. */
  errorReply(failure: Failure, request: FastifyRequest): ErrorReply;
}

export interface ErrorReply {
  readonly status: number;
  readonly body: unknown;
  /** Default `application/json; charset=utf-8`. */
  readonly type?: string;
  /** The id in the body by which people ask about this answer: the log has it too. */
  readonly reference?: string;
}
