import { Socket } from 'node:net';

/** Bytes of one socket on their way to a reader of ours instead of the driver that opened it. */
export interface Intake {
  /** No bytes come until `resume`: the server has to wait. */
  pause(): void;
  resume(): void;
  /** Gives the socket back to its driver. */
  end(): void;
}

/** `bytes` are overwritten after the call. */
export type TakeBytes = (bytes: Uint8Array) => void;

const BUFFER_BYTES = 256 * 1024;
/** After a read of fewer bytes it pays to let more arrive. */
const FEW_BYTES = 64 * 1024;
const WAIT_MS = 1;

/** Sockets of `createTakenSocket`, and who takes their bytes at present. */
const takers = new WeakMap<Socket, { take: TakeBytes | undefined; held: boolean }>();

/**
 * A socket to give to a driver, whose bytes `takeBytes` reads cheaply later: into one buffer, and in large pieces. Servers send
 * results in pieces of some kilobytes; to be woken for each costs both sides more processor time than all else that
 * happens to the bytes on their way, so after a small piece nothing is read for a millisecond.
 */
export function createTakenSocket(): Socket {
  const state = { take: undefined as TakeBytes | undefined, held: false };
  const goOn = (): void => {
    if (!state.held) socket.resume();
  };
  const hear = (length: number, buffer: Uint8Array): boolean => {
    const bytes = buffer.subarray(0, length);
    if (state.take === undefined) {
      socket.emit('data', Buffer.from(bytes));
      return true;
    }
    state.take(bytes);
    if (state.held || length >= FEW_BYTES) return !state.held;
    setTimeout(goOn, WAIT_MS);
    return false;
  };
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const socket = new Socket({ onread: { buffer, callback: hear } });
  takers.set(socket, state);
  return socket;
}

/** Takes the bytes that come from now on away from the socket's driver. Works with any socket, best with a taken one. */
export function takeBytes(socket: Socket, take: TakeBytes): Intake {
  const state = takers.get(socket);
  if (state === undefined) return takeData(socket, take);
  Object.assign(state, { take, held: false });
  return {
    pause() {
      state.held = true;
      socket.pause();
    },
    resume() {
      state.held = false;
      socket.resume();
    },
    end() {
      Object.assign(state, { take: undefined, held: false });
      if (!socket.destroyed) socket.resume();
    },
  };
}

/** The same for a socket that was made elsewhere, such as one with TLS on top. */
function takeData(socket: Socket, take: TakeBytes): Intake {
  const driver = socket.listeners('data') as TakeBytes[];
  socket.removeAllListeners('data');
  socket.on('data', take);
  return {
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end() {
      socket.off('data', take);
      for (const listener of driver) socket.on('data', listener);
      if (!socket.destroyed) socket.resume();
    },
  };
}
