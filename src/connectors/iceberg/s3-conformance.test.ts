import { icebergStoppingPoints } from '../../lakehouse/index.ts';
import { destinationConformance } from '../kit/conformance/destination.ts';

destinationConformance('iceberg on S3', {
  place: new URL('./conformance/s3-place.test-support.ts', import.meta.url),
  stoppingPoints: icebergStoppingPoints,
  triedElsewhere: [
    'iceberg.delete-file-written',
    'iceberg.old-metadata-removed',
    'iceberg.staged-forgotten',
    'iceberg.staged-removed',
    'iceberg.orphans-removed',
  ],
  occurrences: 1,
  doubleCrashes: ['iceberg.swapped'],
  upserts: true,
  readersSwitchAtOnce: true,
  partition: '/{name, identity}',
});
