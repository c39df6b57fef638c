import { icebergStoppingPoints } from '../../lakehouse/index.ts';
import { destinationConformance } from '../kit/conformance/destination.ts';

destinationConformance('iceberg', {
  place: new URL('./conformance/place.ts', import.meta.url),
  stoppingPoints: icebergStoppingPoints,
  upserts: true,
  readersSwitchAtOnce: true,
  partition: '/{name, identity}',
});
