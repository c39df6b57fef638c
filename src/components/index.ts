export { loadComponents } from './registry.ts';
