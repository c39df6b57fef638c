import { Failure } from '../../../errors.ts';
import type { Connection } from '../connect.ts';
import { readEnd, type LogPlace } from '../snapshot.ts';
import { quoteText } from '../quote.ts';
import { parseGtids, type Gtids } from './gtids.ts';
import type { LogFacts, ServerPlace } from './position.ts';

const FILE_START = 4;
const TRIES = 5;

/** Who the server is, in every position of its log. MariaDB before 10.11 knows its number only. */
export async function readIdentity({ query, server }: Connection): Promise<string> {
  if (server.flavor === 'mysql') return (await query('select @@global.server_uuid'))[0]?.[0] ?? '';
  const rows = await query("show global variables where variable_name in ('server_id', 'server_uid')");
  const values = new Map(rows.map(([name, value]) => [(name ?? '').toLowerCase(), value ?? '']));
  const uid = values.get('server_uid') ?? '';
  return `${values.get('server_id')}${uid === '' ? '' : `-${uid}`}`.replace(/[^\w+/=-]/g, '');
}

/** The place with what it means on other servers. */
export async function describePlace(connection: Connection, place: LogPlace): Promise<ServerPlace> {
  const { file, offset } = place;
  return { file, offset, server: await readIdentity(connection), gtids: await gtidsAt(connection, place) };
}

async function gtidsAt(connection: Connection, { file, offset, executed }: LogPlace): Promise<Gtids | undefined> {
  const { query, server } = connection;
  if (server.flavor === 'mysql') {
    return executed !== undefined && (await isNumbering(connection)) ? parseGtids(executed, 'mysql') : undefined;
  }
  const rows = await query(`select binlog_gtid_pos(${quoteText(file)}, ${offset})`);
  const told = rows[0]?.[0];
  return told == null ? undefined : parseGtids(told, 'mariadb');
}

async function isNumbering({ query }: Connection): Promise<boolean> {
  return (await query('select @@global.gtid_mode'))[0]?.[0] === 'ON';
}

/** Where the log ends now. MariaDB looks through a file for the numbers of a place in it; where nobody writes, it knows them. */
export async function readServerEnd(connection: Connection): Promise<ServerPlace> {
  if (connection.server.flavor === 'mysql') return describePlace(connection, await readEnd(connection));
  const last = async (): Promise<string> => (await connection.query('select @@global.gtid_binlog_pos'))[0]?.[0] ?? '';
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const before = await last();
    const { file, offset } = await readEnd(connection);
    if (before !== (await last())) continue;
    return { file, offset, server: await readIdentity(connection), gtids: parseGtids(before, 'mariadb') };
  }
  return describePlace(connection, await readEnd(connection));
}

/** What the server still has, and what it ever had. */
export async function readLogFacts(connection: Connection): Promise<LogFacts> {
  const { query, server } = connection;
  const file = (await query('show binary logs'))[0]?.[0];
  if (file == null) throw new Failure('object_missing', 'the server writes no binary log; start it with log_bin');
  const place = { file, offset: FILE_START };
  if (server.flavor === 'mariadb') {
    const history = (await query('select @@global.gtid_binlog_state'))[0]?.[0] ?? '';
    return { start: await describePlace(connection, place), history };
  }
  if (!(await isNumbering(connection))) return { start: await describePlace(connection, place), history: undefined };
  const [purged, executed] = (await query('select @@global.gtid_purged, @@global.gtid_executed'))[0] ?? [];
  return { start: await describePlace(connection, { ...place, executed: purged ?? '' }), history: executed ?? '' };
}
