interface Mariadb {
  run(sql: string): Promise<unknown>;
}

const PER_STATEMENT = 250_000;

/** Table `trips` as the one of PostgreSQL, in MariaDB, analysed. */
export async function createMariadbTrips(mariadb: Mariadb, rows: number): Promise<void> {
  await mariadb.run(`
    create table trips (
      id bigint not null primary key, vendor_id int, pickup_at datetime(6), dropoff_at datetime(6), passenger_count int,
      trip_distance double, rate_code int, store_and_forward varchar(1), pickup_zone int, dropoff_zone int,
      payment_type int, fare decimal(10,2), extra decimal(10,2), mta_tax decimal(10,2), tip decimal(10,2),
      tolls decimal(10,2), improvement decimal(10,2), total double, congestion double, airport_fee double)`);
  for (let at = 0; at < rows; at += PER_STATEMENT) {
    await insertMariadbTrips(mariadb, 1 + at, Math.min(PER_STATEMENT, rows - at));
  }
  await mariadb.run('analyze table trips');
}

/** Adds `rows` generated rows with keys from `first` on, in one transaction. */
export async function insertMariadbTrips(mariadb: Mariadb, first: number, rows: number): Promise<void> {
  await mariadb.run(`
    insert into trips
    select i, 1 + round(rand() * 1.3), pickup, pickup + interval 60 + round(rand() * 3600) second,
      if(rand() < 0.965, 1 + round(rand() * rand() * 5), null), round(rand() * rand() * 20, 2),
      if(rand() < 0.965, if(rand() < 0.95, 1, 2 + round(rand() * 4)), null),
      if(rand() < 0.965, if(rand() < 0.99, 'N', 'Y'), null),
      1 + round(rand() * 264), 1 + round(rand() * 264), 1 + round(rand() * 3),
      fare, if(rand() < 0.5, 0, if(rand() < 0.5, 2.5, 1)), 0.5, tip, if(rand() < 0.93, 0, 6.55), 1.0,
      round(fare + tip + 4.3, 2), if(rand() < 0.965, 2.5, null),
      if(rand() < 0.965, if(rand() < 0.9, 0, 1.75), null)
    from (
      select seq as i, timestamp '2024-01-01 00:00:00' + interval seq * 3155760 + round(rand() * 1e6) microsecond as pickup,
        round(3 + rand() * rand() * 80, 2) as fare, if(rand() < 0.3, 0, round(rand() * 12, 2)) as tip
      from seq_${first}_to_${first + rows - 1}) as ride`);
}
