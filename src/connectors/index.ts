export { createConnectors, findDestination, findSource, loadConnectors, loadConnectorsOf } from './registry.ts';
export type { Connectors } from './registry.ts';
