import { Failure } from '../errors.ts';

/** Takes a connection to a host; answers how to give it back. Rejects with the signal's reason. */
export type TakeSlot = (host: string, signal: AbortSignal) => Promise<() => void>;

/** At most `most` at once for each host; the others wait in their order. */
export function createSlots(most: number): TakeSlot {
  const hosts = new Map<string, { taken: number; readonly waiting: Set<() => void> }>();
  return async (host, signal) => {
    const slots = hosts.get(host) ?? { taken: 0, waiting: new Set() };
    hosts.set(host, slots);
    const giveBack = (): void => {
      slots.taken -= 1;
      const [next] = slots.waiting;
      if (next !== undefined) next();
      else if (slots.taken === 0) hosts.delete(host);
    };
    if (slots.taken < most) {
      slots.taken += 1;
    } else {
      await waitTurn(slots, signal);
    }
    return giveBack;
  };
}

function waitTurn(slots: { taken: number; readonly waiting: Set<() => void> }, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      slots.waiting.delete(begin);
      signal.removeEventListener('abort', abort);
    };
    const begin = (): void => {
      leave();
      slots.taken += 1;
      resolve();
    };
    const abort = (): void => {
      leave();
      reject(signal.reason as Failure);
    };
    if (signal.aborted) return abort();
    slots.waiting.add(begin);
    signal.addEventListener('abort', abort);
  });
}
