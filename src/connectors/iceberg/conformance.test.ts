import { icebergStoppingPoints } from '../../lakehouse/index.ts';
import { destinationConformance } from '../kit/conformance/destination.ts';

destinationConformance('iceberg', {
  place: new URL('./conformance/place.ts', import.meta.url),
  stoppingPoints: icebergStoppingPoints,
  triedElsewhere: [
    'iceberg.delete-file-written',
    'iceberg.old-metadata-removed',
    'iceberg.staged-forgotten',
    'iceberg.staged-removed',
    'iceberg.orphans-removed',
  ],
  upserts: true,
  readersSwitchAtOnce: true,
  partition: '/{name, identity}',
});
