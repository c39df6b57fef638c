import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export interface ImageRegistry {
  /** `host:port`. */
  readonly address: string;
  /** Offers an image of this one layer (a tar file) under every name and tag that is asked for. */
  offer(layer: string): Promise<void>;
  close(): void;
}

interface Part {
  readonly type: string;
  readonly bytes: Buffer;
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const describePart = ({ type, bytes }: Part) => ({ mediaType: type, size: bytes.length, digest: digestOf(bytes) });
const toJson = (type: string, value: unknown): Part => ({ type, bytes: Buffer.from(JSON.stringify(value)) });

/** As much of a registry (OCI distribution specification, pull) as a runtime needs to pull one image. */
export async function startImageRegistry(): Promise<ImageRegistry> {
  const parts = new Map<string, Part>();
  let manifest: Part | undefined;
  const server: Server = createServer((request, response) => {
    const [, , wanted] = /^\/v2\/(.+)\/(?:manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const part = wanted?.startsWith('sha256:') ? parts.get(wanted) : manifest;
    if (request.url === '/v2/') return void response.end('{}');
    if (wanted === undefined || part === undefined) return void response.writeHead(404).end();
    response.setHeader('content-type', part.type);
    response.setHeader('content-length', part.bytes.length);
    response.setHeader('docker-content-digest', digestOf(part.bytes));
    return void response.end(request.method === 'HEAD' ? undefined : part.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async offer(layer) {
      const tar = await readFile(layer);
      const packed = { type: 'application/vnd.docker.image.rootfs.diff.tar.gzip', bytes: gzipSync(tar, { level: 1 }) };
      const config = toJson('application/vnd.docker.container.image.v1+json', {
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
      });
      manifest = toJson('application/vnd.docker.distribution.manifest.v2+json', {
        schemaVersion: 2,
        mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
        config: describePart(config),
        layers: [describePart(packed)],
      });
      for (const part of [packed, config, manifest]) parts.set(digestOf(part.bytes), part);
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
