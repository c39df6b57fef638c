/**
 * Writes a file to S3 in a process of its own. Arguments: settings (JSON), path, MiB to write, and MiB after which it
 * kills itself (or 0). Prints by how many MiB its memory had grown at most.
 */
import { createWorld } from '../../world.ts';
import { createStorage } from './index.ts';
import type { S3Settings } from './index.ts';

const [settings = '{}', path = '', size = '1', deadAfter = '0'] = process.argv.slice(2);
const storage = createStorage({ world: createWorld(), s3: JSON.parse(settings) as S3Settings });
// The SDK, its first request and the first buffers are not what grows.
await storage.put(`${path}.warm`, Buffer.alloc(1));
const start = process.memoryUsage().rss;
let most = start;
const piece = Buffer.alloc(1 << 20);
const output = await storage.createFile(path);
for (let at = 1; at <= Number(size); at++) {
  piece.writeUInt32LE(at, 0);
  await output.write([piece]);
  most = Math.max(most, process.memoryUsage().rss);
  if (at === Number(deadAfter)) process.kill(process.pid, 'SIGKILL');
}
await output.close();
console.log(Math.round((Math.max(most, process.memoryUsage().rss) - start) / (1 << 20)));
