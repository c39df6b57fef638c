/**
 * How the driver reaches the database: by the URL alone. Without these the driver would fill what the URL leaves out from
 * `PGOPTIONS` and its like of whoever started the process, and so change what statements mean. Of those only
 * `PGSSLMODE` holds, and not for a socket: it can only make a connection to elsewhere safer.
 */
export function addressOptions(url: string) {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isSocket = /^(%2f|$)/i.test(parsed?.hostname ?? '');
  return {
    connectionString: url,
    client_encoding: 'UTF8',
    // Says what holds anyway: an empty text would mean the environment's.
    ...(!parsed?.searchParams.has('options') && { options: '-c standard_conforming_strings=on' }),
    ...(isSocket && { ssl: false }),
  };
}
