import type { Place } from '../../files/index.ts';
import { bucketPlace, checkFiles, localPlace, openFiles, webPlace } from '../../files/index.ts';
import { digestByReading } from '../kit/index.ts';
import type { ConnectorContext, SourceConnector } from '../kit/index.ts';
import { parseConfig } from './config.ts';
import type { FileConfig } from './config.ts';
import { fileSpec } from './spec.ts';

/** Files of a folder, a bucket or the web as a source. */
export const connector: SourceConnector = {
  kind: 'source',
  type: 'file',
  synonyms: ['files', 'local_file'],
  title: 'Files',
  version: '0.1.0',
  spec: () => fileSpec,
  async check(config, context) {
    const parsed = parseConfig(config);
    await checkFiles(placesOf(parsed, context), parsed.settings, context);
  },
  async open(config, context) {
    const parsed = parseConfig(config);
    const files = openFiles(placesOf(parsed, context), parsed.settings, context);
    return { ...files, digest: (stream, options) => digestByReading(files, stream, options) };
  },
  databaseWord: () => 'file',
  datasetOf(config, { name }) {
    const { urls } = parseConfig(config);
    // A stream of several places has no one folder.
    const [place = ''] = urls.length === 1 ? urls : [];
    const web = /^((?:https?|s3[an]?):\/\/[^/?#]+)([^?#]*)/i.exec(place);
    const folder = (web ? web[2]! : place.replace(/^file:\/\//, '')).replace(/\/+$/, '');
    return { namespace: web ? withoutUser(web[1]!) : 'file', name: folder === '' ? name : `${folder}/${name}` };
  },
};

function placesOf(config: FileConfig, context: ConnectorContext): Place[] {
  return config.urls.map((url) => {
    if (/^https?:/i.test(url)) return webPlace(url, config.http, context);
    const bucket = /^s3[an]?:\/\/([^/]+)\/?(.*)$/i.exec(url);
    if (!bucket) return localPlace(url, context);
    const [, name = '', prefix = ''] = bucket;
    return bucketPlace({ bucket: name, prefix, access: config.s3 }, context.world);
  });
}

/** An address may hold a user and a password: lineage must not. */
function withoutUser(address: string): string {
  return address.replace(/\/\/[^/]*@/, '//');
}
