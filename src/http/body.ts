import { isUtf8 } from 'node:buffer';
import type { FastifyContentTypeParser, FastifyInstance, FastifyRequest } from 'fastify';
import { Failure } from '../errors.ts';
import { parseForm } from './forms.ts';

const DEEPEST = 100;
/** How long the rest of a refused body is read and thrown away, so that its sender gets to read the answer. */
const DRAIN_MS = 60_000;
const NUL_ESCAPE = /(?<!\\)(?:\\\\)*\\u0000/;

type Payload = FastifyRequest['raw'];

/**
 * Makes JSON the only language of bodies in this context. A body is valid UTF-8, at most `limitBytes` long, at most 100
 * levels deep and free of NUL characters, which the database cannot hold; `__proto__` keys are dropped. A GET that
 * announces a type but has no body is no error, whatever the type. With `keepsNumbers`, one that a double cannot hold
 * is a raw JSON value, which is written as it was sent.
 */
export function addBodyParsers(
  app: FastifyInstance,
  options: { readonly limitBytes: number; readonly anyTypeIsJson: boolean; readonly keepsNumbers?: boolean },
): void {
  const parseJson = app.getDefaultJsonParser('remove', 'remove');
  const readJson: FastifyContentTypeParser = (request, payload, done) => {
    if (!hasBody(request)) return done(null, undefined);
    if (request.routeOptions.config.body === 'ignored') {
      drain(payload);
      return done(null, undefined);
    }
    const limitBytes = Math.min(options.limitBytes, request.routeOptions.bodyLimit ?? Infinity);
    collect({ request, payload, limitBytes }, (error, bytes) => {
      const problem = error ?? findProblem(bytes!);
      if (problem) return done(problem);
      // Sent in pieces that hold nothing.
      if (bytes!.length === 0) return done(null, undefined);
      const text = bytes!.toString();
      parseJson(request, text, (broken, value) => {
        if (broken) done(badBody(`is not valid JSON: ${broken.message}`));
        else done(null, options.keepsNumbers && LONG_NUMBER.test(text) ? parseExactly(text) : value);
      });
    });
  };
  const refuse: FastifyContentTypeParser = (request, payload, done) => {
    if (!hasBody(request)) return done(null, undefined);
    drain(payload);
    done(new Failure('unsupported_media', 'The body has to be JSON (content-type: application/json).'));
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', readJson);
  app.addContentTypeParser(/^application\/[\w.-]+\+json/i, readJson);
  app.addContentTypeParser('*', options.anyTypeIsJson ? readJson : refuse);
  if (options.anyTypeIsJson) app.addHook('onRequest', forgetNoType);
}

const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

/** A content type that is none counts as absent: the framework would refuse it before any parser is asked. */
async function forgetNoType({ raw }: FastifyRequest): Promise<void> {
  const type = raw.headers['content-type'];
  if (type !== undefined && !MEDIA_TYPE.test(type)) delete raw.headers['content-type'];
}

/**
 * Lets routes of this context also read `application/x-www-form-urlencoded` bodies, as objects of texts. Programs that
 * announce a form by habit and send a JSON object are understood.
 */
export function addFormParser(app: FastifyInstance, limitBytes: number): void {
  const parseJson = app.getDefaultJsonParser('remove', 'remove');
  app.addContentTypeParser('application/x-www-form-urlencoded', (request, payload, done) => {
    if (!hasBody(request)) return done(null, undefined);
    collect({ request, payload, limitBytes }, (error, bytes) => {
      const problem = error ?? findProblem(bytes!);
      if (problem) return done(problem);
      const text = bytes!.toString();
      if (!text.trimStart().startsWith('{')) return readForm(text, done);
      parseJson(request, text, (broken, value) => {
        done(broken ? badBody(`is not valid JSON: ${broken.message}`) : null, value);
      });
    });
  });
}

function readForm(text: string, done: (error: Error | null, value?: unknown) => void): void {
  let form: unknown;
  try {
    form = parseForm(text);
  } catch (error) {
    return done(error as Error);
  }
  done(null, form);
}

/** Numbers that a double may not hold: many digits, or a large exponent. */
const LONG_NUMBER = /[\d.]{16}|\d[eE]\+?\d{2}/;

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const exactJson = JSON as unknown as { parse(text: string, reviver: Reviver): unknown; rawJSON(text: string): unknown };

/** As the usual parser, which has found no fault in the text before. */
function parseExactly(text: string): unknown {
  return exactJson.parse(text, (key, value, { source }) => {
    if (key === '__proto__') return undefined;
    if (key === 'constructor' && Object.hasOwn(Object(value), 'prototype')) return undefined;
    if (typeof value !== 'number' || source === undefined) return value;
    return Number.isSafeInteger(value) || String(value) === source ? value : exactJson.rawJSON(source);
  });
}

function hasBody({ headers }: FastifyRequest): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

interface Collecting {
  readonly request: FastifyRequest;
  readonly payload: Payload;
  readonly limitBytes: number;
}

function collect({ request, payload, limitBytes }: Collecting, done: (error: Error | null, bytes?: Buffer) => void) {
  if (Number(request.headers['content-length']) > limitBytes) {
    drain(payload);
    return done(tooLarge(limitBytes));
  }
  const chunks: Buffer[] = [];
  let received = 0;
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    chunks.push(chunk);
    if (received <= limitBytes) return;
    stop();
    drain(payload);
    done(tooLarge(limitBytes));
  };
  const onEnd = (): void => {
    stop();
    done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, received));
  };
  const onError = (error: Error): void => {
    stop();
    done(new Failure('bad_request', 'The body ended too early.', { cause: error }));
  };
  const stop = (): void => {
    payload.off('data', onData).off('end', onEnd).off('error', onError);
  };
  payload.on('data', onData).on('end', onEnd).on('error', onError);
}

function drain(payload: Payload): void {
  const timer = setTimeout(() => payload.destroy(), DRAIN_MS).unref();
  payload.on('error', () => {}).on('close', () => clearTimeout(timer));
  payload.resume();
}

function findProblem(bytes: Buffer): Failure | undefined {
  if (!isUtf8(bytes)) return badBody('is not UTF-8 text');
  if (isTooDeep(bytes)) return badBody(`is nested deeper than ${DEEPEST} levels`);
  if (bytes.includes('\\u0000') && NUL_ESCAPE.test(bytes.toString())) return badBody('holds a NUL character');
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts brackets outside strings; on broken JSON the answer does not matter. */
function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte === QUOTE) {
      for (index++; index < bytes.length && bytes[index] !== QUOTE; index++) if (bytes[index] === BACKSLASH) index++;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > DEEPEST) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return false;
}

function badBody(reason: string): Failure {
  return new Failure('bad_request', `The request body ${reason}.`, { details: [{ field: 'body', reason }] });
}

function tooLarge(limitBytes: number): Failure {
  return new Failure('too_large', `The request body is larger than ${limitBytes} bytes.`);
}
