import type { Client } from 'pg';

/**
 * Creates table `trips` with `rows` generated rows, shaped like the yellow taxi records of New York: 20 columns of
 * integers, decimals, doubles, times and short texts, some null; a bigint primary key. Analysed and vacuumed, so that page
 * ranges are exact. Without a write-ahead log, unless it is `logged`, as a change log needs it.
 */
export async function createTrips(client: Client, rows: number, logged = false): Promise<void> {
  await client.query(`
    drop table if exists trips;
    create ${logged ? '' : 'unlogged'} table trips (
      id bigint not null, vendor_id integer, pickup_at timestamp, dropoff_at timestamp, passenger_count integer,
      trip_distance double precision, rate_code integer, store_and_forward varchar(1), pickup_zone integer,
      dropoff_zone integer, payment_type integer, fare numeric(10,2), extra numeric(10,2), mta_tax numeric(10,2),
      tip numeric(10,2), tolls numeric(10,2), improvement numeric(10,2), total double precision,
      congestion double precision, airport_fee double precision)`);
  await insertTrips(client, 1, rows);
  await client.query('alter table trips add primary key (id)');
  await client.query('vacuum analyze trips');
}

/** Adds `rows` generated rows with keys from `first` on, in one transaction. */
export async function insertTrips(client: Client, first: number, rows: number): Promise<void> {
  await client.query(`
    insert into trips
    select i, 1 + (random() * 1.3)::int, pickup, pickup + (60 + random() * 3600) * interval '1 s',
      case when random() < 0.965 then (1 + random() * random() * 5)::int end,
      round((random() * random() * 20)::numeric, 2)::float8,
      case when random() < 0.965 then (case when random() < 0.95 then 1 else 2 + (random() * 4)::int end) end,
      case when random() < 0.965 then (case when random() < 0.99 then 'N' else 'Y' end) end,
      (1 + random() * 264)::int, (1 + random() * 264)::int, (1 + random() * 3)::int,
      fare, (case when random() < 0.5 then 0 when random() < 0.5 then 2.5 else 1 end), 0.5,
      tip, case when random() < 0.93 then 0 else 6.55 end, 1.0, round(fare + tip + 4.3, 2)::float8,
      case when random() < 0.965 then 2.5 end,
      case when random() < 0.965 then (case when random() < 0.9 then 0.0 else 1.75 end) end
    from (
      select i, timestamp '2024-01-01' + i * interval '3.15576 s' - random() * interval '1 s' as pickup,
        round((3 + random() * random() * 80)::numeric, 2) as fare,
        case when random() < 0.3 then 0 else round((random() * 12)::numeric, 2) end as tip
      from generate_series(${first}, ${first + rows - 1}) as i) as ride`);
}
