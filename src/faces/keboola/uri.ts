import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config.ts';
import { isSecure } from '../../http/index.ts';
import { mountOf } from './transport.ts';

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i;

/**
 * The address before the paths of this face as the caller knows it (2.2): the public one if there is one, else what the
 * request was sent to, with the mount that it used. No slash at the end.
 */
export function baseOf(request: FastifyRequest, config: Pick<Config, 'publicUrl'>): string {
  return `${originOf(request, config)}${mountOf(request)}`;
}

/** As `baseOf`, without the mount: where the storage subset lies. */
export function originOf(request: FastifyRequest, config: Pick<Config, 'publicUrl'>): string {
  if (config.publicUrl !== null) return config.publicUrl.replace(/\/+$/, '');
  const scheme = isSecure(request, config) ? 'https' : 'http';
  const { host } = request.headers;
  return `${scheme}://${host !== undefined && HOST.test(host) ? host : listenHost(request)}`;
}

function listenHost({ socket }: FastifyRequest): string {
  const { localAddress = 'localhost', localPort } = socket;
  const address = localAddress.replace(/^::ffff:/, '');
  return `${address.includes(':') ? `[${address}]` : address}${localPort === undefined ? '' : `:${localPort}`}`;
}
