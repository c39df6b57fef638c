export { createFit } from './fit.ts';
export type { Fit, Fitted } from './fit.ts';
export { dependsOnTable, fitStream } from './stream.ts';
