export { createHits } from './hits.ts';
export { createLineitem } from './lineitem.ts';
export { createMariadbTrips, insertMariadbTrips } from './mariadb-trips.ts';
export { createTrips, insertTrips } from './trips.ts';
