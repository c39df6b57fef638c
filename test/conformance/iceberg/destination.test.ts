import { after } from 'node:test';
import { destinationConformance } from '../../../src/connectors/kit/conformance/destination.ts';
import { icebergStoppingPoints } from '../../../src/lakehouse/index.ts';
import { closeCatalog } from './place.ts';

/** Points around the metadata file, which a REST catalog writes itself. */
const elsewhere = ['iceberg.metadata-written', 'iceberg.old-metadata-removed'];

after(closeCatalog);

destinationConformance('iceberg by REST', {
  place: new URL('./place.ts', import.meta.url),
  stoppingPoints: icebergStoppingPoints.filter((point) => !elsewhere.includes(point)),
  // The others are tried with a catalog of the other kind.
  crashPoints: ['iceberg.before-swap', 'iceberg.swapped'],
  doubleCrashes: ['iceberg.before-swap', 'iceberg.swapped'],
  upserts: true,
  readersSwitchAtOnce: true,
  partition: '/{name, identity}',
});
