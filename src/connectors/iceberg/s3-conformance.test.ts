import { icebergStoppingPoints } from '../../lakehouse/index.ts';
import { destinationConformance } from '../kit/conformance/destination.ts';

destinationConformance('iceberg on S3', {
  place: new URL('./conformance/s3-place.test-support.ts', import.meta.url),
  stoppingPoints: icebergStoppingPoints,
  occurrences: 1,
  doubleCrashes: ['iceberg.swapped'],
  upserts: true,
  readersSwitchAtOnce: true,
  partition: '/{name, identity}',
});
