import type { FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';

/** Whether the request comes from this machine itself and not through a proxy on it. */
export function isFromLoopback(request: FastifyRequest): boolean {
  return isLoopbackAddress(request.socket.remoteAddress) && request.headers['x-forwarded-for'] === undefined;
}

/**
 * The address of the caller, for throttling. Behind a proxy on this machine, which the operator declares by a public
 * URL, it is the one that the proxy saw.
 */
export function clientAddress(request: FastifyRequest, config: Pick<Config, 'publicUrl'>): string {
  const remote = request.socket.remoteAddress ?? '';
  const forwarded = request.headers['x-forwarded-for'];
  if (config.publicUrl === null || forwarded === undefined || !isLoopbackAddress(remote)) return remote;
  return String(forwarded).split(',').at(-1)!.trim();
}

/** Whether the browser talks TLS, to us or to a proxy that we believe. */
export function isSecure(request: FastifyRequest, config: Pick<Config, 'publicUrl'>): boolean {
  if (request.protocol === 'https' || config.publicUrl?.startsWith('https:')) return true;
  return isLoopbackAddress(request.socket.remoteAddress) && request.headers['x-forwarded-proto'] === 'https';
}

function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}
