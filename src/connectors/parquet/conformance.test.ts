import { destinationConformance } from '../kit/conformance/destination.ts';
import { parquetStoppingPoints } from './index.ts';

destinationConformance('parquet', {
  place: new URL('./conformance/place.ts', import.meta.url),
  stoppingPoints: parquetStoppingPoints,
  upserts: false,
  readersSwitchAtOnce: false,
  partition: '/{name, none, }',
});
