export { loadComponents } from './registry.ts';
export type { ComponentSpec } from './kit/index.ts';
