import { Failure } from '../../../errors.ts';
import type { ConnectorContext } from '../../kit/index.ts';
import type { Connection } from '../connect.ts';
import { readEnd } from '../snapshot.ts';

interface Demand {
  readonly variable: string;
  readonly wanted: string;
  readonly remedy: string;
}

const DEMANDS: readonly Demand[] = [
  { variable: 'log_bin', wanted: 'ON', remedy: 'start the server with log_bin' },
  { variable: 'binlog_format', wanted: 'ROW', remedy: 'set global binlog_format = ROW' },
  { variable: 'binlog_row_image', wanted: 'FULL', remedy: 'set global binlog_row_image = FULL' },
];

/** Throws a `Failure` that names the setting or the right that reading changes lacks, and its remedy. */
export async function checkLogSettings({ query, server }: Connection, log: ConnectorContext['log']): Promise<void> {
  const names = [...DEMANDS.map(({ variable }) => variable), 'binlog_row_value_options', 'binlog_row_metadata'];
  const rows = await query(
    `show global variables where variable_name in (${names.map((name) => `'${name}'`).join(', ')})`,
  );
  const values = new Map(rows.map(([name, value]) => [(name ?? '').toLowerCase(), (value ?? '').toUpperCase()]));
  for (const { variable, wanted, remedy } of DEMANDS) {
    const value = values.get(variable) ?? '';
    // MySQL dropped the choice of the format: what is not there is as it should be.
    if (value === wanted || (value === '' && variable === 'binlog_format')) continue;
    throw new Failure(
      'configuration_invalid',
      `reading changes needs ${variable} = ${wanted}, but it is ${value || 'unknown'}: ${remedy}`,
    );
  }
  if ((values.get('binlog_row_value_options') ?? '') !== '') {
    throw new Failure(
      'configuration_invalid',
      "reading changes needs whole JSON values, but binlog_row_value_options is set: set global binlog_row_value_options = ''",
    );
  }
  if (values.get('binlog_row_metadata') !== 'FULL') {
    log({
      level: 'info',
      message:
        'binlog_row_metadata is not FULL: columns of the log are told apart by their place, so a table must be loaded anew by hand when its columns were dropped or moved while older changes were still to be read',
    });
  }
  await asking(() => readEnd({ query, server } as Connection), server.flavor);
}

/** Explains a missing right to ask for the place of the log. */
export async function asking<T>(work: () => Promise<T>, flavor: Connection['server']['flavor']): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'permission_missing') throw error;
    const right = flavor === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';
    throw new Failure('permission_missing', `no right to see the binary log: grant ${right} on *.* (${error.message})`);
  }
}
