export { createEngine } from './engine.ts';
export type { EngineOptions, OpenEngine } from './engine.ts';
export type { EngineSettings } from './context.ts';
export type { EngineLog, EngineMetrics } from './metrics.ts';
export { installQueue } from './queue.ts';
export { isTerminal } from './state.ts';
export type * from './types.ts';
