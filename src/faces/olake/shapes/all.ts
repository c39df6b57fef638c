import type { TSchema } from 'typebox';
import { catalogShapes } from './catalog.ts';
import { connectionShapes } from './connections.ts';
import { platformShapes } from './platform.ts';
import { runShapes } from './runs.ts';

/** The components of the document. */
export const shapes: readonly TSchema[] = [...connectionShapes, ...catalogShapes, ...runShapes, ...platformShapes];
