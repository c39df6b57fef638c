export { connector } from './connector.ts';
export { parquetStoppingPoints } from '../../lakehouse/index.ts';
