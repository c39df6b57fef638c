export { createFit } from './fit.ts';
export type { Fit, Fitted } from './fit.ts';
export { fitStream } from './stream.ts';
