import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { Failure } from '../errors.ts';

const decoders = {
  gzip: promisify(gunzip),
  brotli: promisify(brotliDecompress),
  zlib: promisify(inflate),
  deflate: promisify(inflateRaw),
};

/**
 * The whole body, decompressed. Neither what travels nor what it becomes exceeds `mostBytes`: beyond it the reading
 * stops and `too_large` is thrown. `connection_lost` when it is none that can be read.
 */
export async function readBody(response: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > mostBytes) throw tooLarge(mostBytes);
    pieces.push(piece);
  }
  return decompress(Buffer.concat(pieces), response.headers['content-encoding'], mostBytes);
}

async function decompress(body: Buffer, coding: string | undefined, mostBytes: number): Promise<Buffer> {
  const word = (coding ?? 'identity').trim().toLowerCase();
  if (body.length === 0 || word === 'identity' || word === '') return body;
  const decode = decoderOf(word, body);
  if (decode === undefined)
    throw new Failure('connection_lost', 'the answer is compressed in a way that was not asked');
  try {
    return await decode(body, { maxOutputLength: mostBytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(mostBytes);
    throw new Failure('connection_lost', 'the compressed answer is damaged', { cause: error });
  }
}

/** One coding only: of those in a row each could blow up what the one before made. */
function decoderOf(word: string, body: Buffer): (typeof decoders)['gzip'] | undefined {
  if (word === 'gzip' || word === 'x-gzip') return decoders.gzip;
  if (word === 'br') return decoders.brotli;
  // Servers do not agree whether `deflate` has the two bytes of zlib before it; these always have method 8.
  if (word === 'deflate') return (body[0]! & 0x0f) === 8 ? decoders.zlib : decoders.deflate;
  return undefined;
}

function tooLarge(mostBytes: number): Failure {
  return new Failure('too_large', `the answer has more than ${mostBytes} bytes`);
}
