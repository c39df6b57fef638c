import type { ReadEnd, SourceConnector, SourceSession, StreamSelection } from '../../src/connectors/kit/index.ts';
import {
  keepChanges,
  logOf,
  streamAfter,
  type KeptChanges,
} from '../../src/connectors/kit/conformance/changes-place.ts';
import { openSource, startTestSource, type OpenedSource, type TestSource } from './source.ts';
import type { TestPostgresOptions } from './postgres.ts';

const { signal } = new AbortController();

/** What the connection of a source says of its changes, in tests of PostgreSQL. */
export const UPDATE_METHOD = { type: 'CDC', replication_slot: 'penstock', publication: 'everything' };

export interface TestLog extends TestSource {
  readonly config: TestSource['config'] & { readonly update_method: object };
  /** A session of its own for `work`. */
  inSession<T>(work: (opened: OpenedSource) => Promise<T>): Promise<T>;
}

/** A server whose changes can be read: a slot, and a publication of all tables. */
export async function startTestLog(connector: SourceConnector, options: TestPostgresOptions = {}): Promise<TestLog> {
  const settings = { wal_level: 'logical', synchronous_commit: 'on', ...options.settings };
  const source = await startTestSource({ ...options, settings });
  await source.run('create publication everything for all tables');
  await source.run("select pg_create_logical_replication_slot('penstock', 'pgoutput')");
  const config = { ...source.config, update_method: UPDATE_METHOD };
  return {
    ...source,
    config,
    async inSession(work) {
      const opened = await openSource(connector, config);
      try {
        return await work(opened);
      } finally {
        await opened.session.close();
      }
    },
  };
}

/** Reads the changes of the streams from a position up to now. */
export async function readChanges(
  session: SourceSession,
  work: { streams: readonly StreamSelection[]; from: string } & Partial<Omit<KeptChanges, 'streams' | 'from'>>,
): Promise<KeptChanges & { readonly end: ReadEnd }> {
  const log = logOf(session);
  const { streams, from, ...rest } = work;
  const upTo = rest.upTo ?? (await log.end({ signal }));
  const kept = keepChanges({ ...rest, streams: streams.map((stream) => streamAfter(stream, from)), from, upTo });
  const end = await log.read(kept);
  return { ...kept, end };
}
