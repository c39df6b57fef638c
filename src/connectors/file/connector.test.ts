import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import type { ConnectorContext } from '../kit/index.ts';
import { inSession, readWhole } from '../kit/conformance/source-place.ts';
import { parseConfig } from './config.ts';
import { connector } from './index.ts';

const context = (changes: Partial<ConnectorContext> = {}): ConnectorContext & { lines: string[] } => {
  const lines: string[] = [];
  const log: ConnectorContext['log'] = ({ level, message }) => void lines.push(`${level}: ${message}`);
  return { world: createWorld(), log, signal: new AbortController().signal, lines, ...changes };
};

describe('a configuration of files', () => {
  it('has defaults, and ignores unknown keys', () => {
    const { urls, settings } = parseConfig({ url: '/data', anything: 1 });
    assert.deepEqual(urls, ['/data']);
    assert.equal(settings.format, 'auto');
    assert.equal(settings.compression, 'auto');
    assert.deepEqual(settings.csv, { delimiter: undefined, hasHeader: true, skipRows: 0, quote: '"' });
  });

  it('names the field that is wrong', () => {
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{}, /^url is required/],
      [{ urls: [] }, /^url is required/],
      [{ url: 5 }, /^url must be text/],
      [{ urls: [''] }, /^urls/],
      [{ url: '/a', file_format: 'xml' }, /^file_format must be one of/],
      [{ url: '/a', compression: 'lzma' }, /^compression/],
      [{ url: '/a', csv: { delimiter: '\n' } }, /^csv\.delimiter/],
      [{ url: '/a', csv: { delimiter: '"' } }, /^csv\.delimiter/],
      [{ url: '/a', csv: { quote_character: 'ab' } }, /^csv\.quote_character/],
      [{ url: '/a', csv: [] }, /^csv must be an object/],
      [{ url: '/a', csv: { skip_rows: -1 } }, /^skip_rows/],
      [{ url: '/a', file_pattern: '(' }, /^file_pattern/],
      [{ url: '/a', column_types: { a: 'text' } }, /^column_types/],
      [{ url: '/a', http: { headers: { 'a b': 'c' } } }, /^http\.headers/],
      [{ url: '/a', http: { headers: { a: 'c\r\nd: e' } } }, /^http\.headers/],
    ];
    for (const [config, message] of cases) {
      assert.throws(() => parseConfig(config), { kind: 'configuration_invalid', message }, JSON.stringify(config));
    }
  });

  it('has a schema that takes valid ones and marks the secrets', () => {
    const { jsonschema } = connector.spec();
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(jsonschema);
    const full = {
      url: 's3://b/p',
      urls: ['/x'],
      file_format: 'csv',
      csv: { delimiter: ';' },
      s3: { region: 'x' },
      http: { headers: { a: 'b' } },
    };
    assert.ok(validate(full), JSON.stringify(validate.errors));
    assert.ok(!validate({ url: '/a', file_format: 'xml' }));
    const text = JSON.stringify(jsonschema);
    assert.equal(text.split('"format":"password"').length - 1, 3);
  });
});

describe('the file source', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'file-source-'));
    await mkdir(join(folder, 'in/orders'), { recursive: true });
    await writeFile(join(folder, 'in/orders/1.csv'), 'id,note\n1,a\n2,b\n');
    await writeFile(join(folder, 'more.jsonl'), '{"id":3}\n');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('reads several places through the interface of sources', async () => {
    const config = { url: join(folder, 'in'), urls: [`file://${folder}/more.jsonl`] };
    assert.equal(connector.databaseWord(config), 'file');
    await inSession({ connector, config }, async (session, select) => {
      const { rows } = await readWhole(session, await select('orders'), 1 << 30);
      assert.deepEqual(
        rows.map((row) => row.slice(0, 2)),
        [
          ['1', 'a'],
          ['2', 'b'],
        ],
      );
      assert.equal((await readWhole(session, await select('more'), 1 << 30)).rows.length, 1);
      assert.deepEqual(await session.fetchByKey(await select('more'), [['1']]), []);
    });
  });

  it('checks that a file can be read, and tells when there is none', async () => {
    const checked = context();
    await connector.check({ url: join(folder, 'in') }, checked);
    assert.ok(checked.lines.some((line) => line.includes('1 files in 1 streams')));
    assert.ok(checked.lines.some((line) => line.includes('can be read')));
    const none = context();
    await connector.check({ url: folder, file_pattern: 'nothing' }, none);
    assert.ok(none.lines.some((line) => line.startsWith('warn: no file is there')));
    await assert.rejects(connector.check({ url: join(folder, 'gone') }, context()), { kind: 'object_missing' });
  });

  it('asks whether a path may be used before it looks there', async () => {
    const allowPath = (path: string): void => {
      throw new Failure('configuration_invalid', `${path} is not below a folder that this server may use`);
    };
    const refused = { kind: 'configuration_invalid', message: /may use/ };
    await assert.rejects(connector.check({ url: folder }, context({ allowPath })), refused);
    await assert.rejects(connector.open({ url: folder }, context({ allowPath })), refused);
  });
});

describe('lineage', () => {
  it('names files by their folder, and web addresses without user and password', () => {
    const nameOf = (...urls: string[]) => connector.datasetOf!({ urls }, { namespace: '', name: 'orders' });
    assert.deepEqual(nameOf('/srv/files/'), { namespace: 'file', name: '/srv/files/orders' });
    assert.deepEqual(nameOf('https://me:secret@files.tern.example/daily'), {
      namespace: 'https://files.tern.example',
      name: '/daily/orders',
    });
    assert.deepEqual(nameOf('/a', '/b'), { namespace: 'file', name: 'orders' });
  });
});
