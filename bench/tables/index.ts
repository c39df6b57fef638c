export { createHits } from './hits.ts';
export { createLineitem } from './lineitem.ts';
export { createTrips, insertTrips } from './trips.ts';
