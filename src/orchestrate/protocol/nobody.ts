import { Failure } from '../../errors.ts';
import type { CallComponent } from './types.ts';

/** Until the protocol is here: no component elsewhere can be called. */
export const callNobody: CallComponent = async () => {
  throw new Failure('configuration_invalid', 'This server calls no components elsewhere');
};
