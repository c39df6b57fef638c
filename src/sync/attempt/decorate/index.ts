export { createDecorator } from './added.ts';
export type { Decorated, Decorator } from './added.ts';
export { createChangeDecorator, keepChanges } from './changes.ts';
export { keepRows } from './rows.ts';
export { isPresent } from './identity.ts';
export { bytesOfRow, textAt, textOfRow, textWriter, valueIndex } from './texts.ts';
