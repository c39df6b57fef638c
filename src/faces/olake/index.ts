export { createOlakeFace } from './face.ts';
export { olakeMetrics } from './metrics.ts';
export type { OlakeRooms } from './route.ts';
