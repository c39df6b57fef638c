import type { Client } from 'pg';

interface HitColumn {
  readonly name: string;
  readonly type: 'bigint' | 'integer' | 'smallint' | 'text' | 'timestamp' | 'date';
  /** The SQL expression that makes a value; `i` is the row's number, `word` a list of ten words. */
  readonly value: string;
}

const column = (name: string, type: HitColumn['type'], value: string): HitColumn => ({ name, type, value });
const anyWord = 'word[1 + trunc(random() * 10)::int]';
const anyTime = "timestamp '2013-07-01' + (random() * 2600000)::int * interval '1 s'";
/** A well spread 63-bit number of a row, as made by a hash. */
const spread = (of: string): string => `(hashint8extended(${of}, 0) >> 1)`;

/** What most rows leave empty, as web analytics does. */
const EMPTY_TEXTS =
  'params social_network social_action social_page order_id currency service campaign ad ad_source utm_source utm_medium ' +
  'utm_campaign utm_content utm_term from_tag flash_version phone_model';

const known: readonly HitColumn[] = [
  column('watch_id', 'bigint', spread('i')),
  column('java_enabled', 'smallint', 'random()::int'),
  column(
    'title',
    'text',
    `case when random() < 0.1 then '' else 'Новости и статьи — ' || ${anyWord} || ' ' || ${anyWord} || ' | site ' || (random() * 5000)::int end`,
  ),
  column('good_event', 'smallint', '1'),
  column('event_at', 'timestamp', anyTime),
  column('event_date', 'date', "date '2013-07-01' + (random() * 30)::int"),
  column('counter_id', 'integer', '(random() * random() * 200000)::int'),
  column('client_ip', 'integer', `(${spread('i * 7')} >> 31)::int`),
  column('region_id', 'integer', '(random() * random() * 1000)::int'),
  column('user_id', 'bigint', spread('i / 20')),
  column('system', 'smallint', '(random() * 100)::int'),
  column('browser', 'smallint', '(random() * 90)::int'),
  column(
    'url',
    'text',
    `'http://example.ru/' || ${anyWord} || '/' || (random() * 1000000)::int || '?id=' || (random() * 1e9)::bigint || '&ref=' || ${anyWord}`,
  ),
  column(
    'referer',
    'text',
    `case when random() < 0.4 then '' else 'https://search.example.com/?text=' || ${anyWord} || '+' || ${anyWord} || '&lr=' || (random() * 1000)::int end`,
  ),
  column('browser_minor', 'text', "(array['D1', '18', '55', ''])[1 + trunc(random() * 4)::int]"),
  column('search_phrase', 'text', `case when random() < 0.8 then '' else ${anyWord} || ' ' || ${anyWord} end`),
  column('charset', 'text', "'utf-8'"),
  column(
    'original_url',
    'text',
    "case when random() < 0.7 then '' else 'http://original.example/' || (random() * 1e6)::int end",
  ),
  column('language', 'text', "'ru'"),
  column('country', 'text', "'RU'"),
  column('colour', 'text', "'D'"),
  column('client_event_at', 'timestamp', anyTime),
  column('local_event_at', 'timestamp', anyTime),
  ...EMPTY_TEXTS.split(' ').map((name) => column(name, 'text', "''")),
];

/** Counters and flags as such a table has by the dozen: mostly zero, a few small ranges, some large numbers. */
function counter(index: number): HitColumn {
  const name = `counter_${index}`;
  switch (index % 10) {
    case 0:
      return column(name, 'integer', '(random() * 1000000)::int');
    case 5:
      return column(name, 'smallint', 'random()::int');
    case 6:
      return column(name, 'smallint', '(random() * 2000)::int');
    case 7:
    case 8:
      return column(name, 'smallint', '(random() * 30)::int');
    case 9:
      return column(name, 'bigint', '(random() * 1e12)::bigint');
    default:
      return column(name, 'smallint', '0');
  }
}

const columns = [...known, ...Array.from({ length: 105 - known.length }, (_, index) => counter(index))];

/**
 * Creates table `hits` with `rows` generated rows, shaped like a web analytics table: 105 columns of all widths, many constant or empty, long
 * texts and URLs; a key of five columns. Analysed and vacuumed, so that page ranges are exact.
 */
export async function createHits(client: Client, rows: number): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${name} ${type} not null`);
  await client.query(`drop table if exists hits; create unlogged table hits (${definitions.join(', ')})`);
  await client.query(`
    insert into hits select ${columns.map(({ value }) => value).join(', ')}
    from (
      select i::bigint as i, array['погода', 'интернет', 'магазин', 'купить', 'фото', 'скачать', 'google', 'video',
        'онлайн', 'работа'] as word
      from generate_series(1, ${Math.trunc(rows)}) as i) as hit`);
  await client.query('alter table hits add primary key (counter_id, event_date, user_id, event_at, watch_id)');
  await client.query('vacuum analyze hits');
}
