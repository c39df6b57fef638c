export { createHits } from './hits.ts';
export { createLineitem } from './lineitem.ts';
export { createTrips } from './trips.ts';
