import type { Client } from 'pg';

/**
 * Creates table `lineitem` with `rows` generated rows, shaped like that of TPC-H: 16 columns of keys, exact decimals, dates, flags,
 * padded words and a comment; a key of two columns. Analysed and vacuumed, so that page ranges are exact.
 */
export async function createLineitem(client: Client, rows: number): Promise<void> {
  await client.query(`
    drop table if exists lineitem;
    create unlogged table lineitem (
      l_orderkey bigint not null, l_partkey integer not null, l_suppkey integer not null, l_linenumber integer not null,
      l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
      l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
      l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44))`);
  await client.query(`
    insert into lineitem
    select 1 + i / 4, 1 + (random() * 200000)::int, 1 + (random() * 10000)::int, 1 + i % 4,
      1 + (random() * 49)::int, round((900 + random() * 100000)::numeric, 2), round((random() * 0.1)::numeric, 2),
      round((random() * 0.08)::numeric, 2), (array['R', 'A', 'N'])[1 + trunc(random() * 3)::int],
      (array['O', 'F'])[1 + trunc(random() * 2)::int], shipped, shipped + (random() * 60)::int - 30,
      shipped + 1 + (random() * 29)::int,
      (array['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[1 + trunc(random() * 4)::int],
      (array['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[1 + trunc(random() * 7)::int],
      substr(word[1 + trunc(random() * 10)::int] || ' ' || word[1 + trunc(random() * 10)::int] || ' '
        || word[1 + trunc(random() * 10)::int] || ' ' || word[1 + trunc(random() * 10)::int], 1, 10 + (random() * 33)::int)
    from (
      select i, date '1992-01-01' + (random() * 2500)::int as shipped, array['furiously', 'carefully', 'express',
        'deposits', 'packages', 'quickly', 'regular', 'accounts', 'requests', 'ironic'] as word
      from generate_series(0, ${Math.trunc(rows) - 1}) as i) as line`);
  await client.query('alter table lineitem add primary key (l_orderkey, l_linenumber)');
  await client.query('vacuum analyze lineitem');
}
