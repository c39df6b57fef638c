export { connector } from './destination.ts';
