export { createIcebergFace } from './face.ts';
export type { IcebergRooms } from './route.ts';
