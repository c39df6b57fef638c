/** The api process of the chaos test: `chaos-api.ts DATABASE_URL PORT`. `POST /<idempotency key>` starts a run. */
import { createServer } from 'node:http';
import { chaosPlan, openChaosEngine } from './chaos-engine.ts';

// The database may be down at the moment: the test starts us again.
const { engine } = await openChaosEngine(process.argv[2]!).catch(() => process.exit(1));
const server = createServer((request, response) => {
  engine.start(chaosPlan(request.url!.slice(1))).then(
    (result) => response.writeHead(200).end(result.runId),
    () => response.writeHead(503).end(),
  );
});
server.listen(Number(process.argv[3]), '127.0.0.1', () => process.send?.('ready'));
process.on('disconnect', () => process.exit(1));
