import type { TSchema } from 'typebox';
import { catalogShapes } from './catalog.ts';
import { connectionShapes } from './connections.ts';
import { platformShapes } from './platform.ts';
import { runShapes } from './runs.ts';

export { config, ref } from './parts.ts';
export { AllReleases, Deleted, DeletedUser, Maintenance, SignedUp, Telemetry, Unique, WhoAmI } from './platform.ts';
export { answersOf, type Failing } from './answers.ts';

/** The components of the document. */
export const shapes: readonly TSchema[] = [...connectionShapes, ...catalogShapes, ...runShapes, ...platformShapes];
