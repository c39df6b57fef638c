export { connector } from './connector.ts';
