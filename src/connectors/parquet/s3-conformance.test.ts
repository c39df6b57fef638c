import { destinationConformance } from '../kit/conformance/destination.ts';
import { s3StoppingPoints } from '../../lakehouse/index.ts';
import { parquetStoppingPoints } from './index.ts';

destinationConformance('parquet on S3', {
  place: new URL('./conformance/s3-place.test-support.ts', import.meta.url),
  stoppingPoints: [...parquetStoppingPoints, ...s3StoppingPoints],
  occurrences: 1,
  doubleCrashes: ['parquet.commit-decided', 's3.copied'],
  upserts: false,
  readersSwitchAtOnce: false,
  partition: '/{name, none, }',
});
