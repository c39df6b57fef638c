export { component } from './component.ts';
