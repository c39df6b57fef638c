export { createObserve } from './observe.ts';
export type { Observe } from './observe.ts';
export { createEngineMetrics } from './engine-metrics.ts';
