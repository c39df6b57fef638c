export { createConnectors, findDestination, findSource, loadConnectors } from './registry.ts';
export type { Connectors } from './registry.ts';
