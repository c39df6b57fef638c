import { connector } from '../src/connectors/postgres/index.ts';
import type { SourceSession, StreamSelection } from '../src/connectors/kit/index.ts';
import { createWorld } from '../src/world.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
}

export interface OpenedStream {
  readonly session: SourceSession;
  readonly stream: StreamSelection;
  readonly signal: AbortSignal;
}

/** A session with the server and one of its tables as a stream. The caller closes the session. */
export async function openConnector(server: ServerAddress, table: string): Promise<OpenedStream> {
  const { signal } = new AbortController();
  const session = await connector.open(server, { world: createWorld(), log: () => undefined, signal });
  const found = (await session.discover({ signal, threads: 1 })).find((stream) => stream.name === table);
  if (!found) throw new Error(`there is no table ${table}`);
  return { session, stream: found, signal };
}
