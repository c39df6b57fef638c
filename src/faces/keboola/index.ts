export { createKeboolaFace } from './face.ts';
export type { KeboolaRooms } from './route.ts';
