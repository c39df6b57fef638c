/** Where the values of one tuple lie in a message; reused from tuple to tuple. */
export interface Tuple {
  columns: number;
  /** Per column one of `VALUE`. */
  readonly kinds: Uint8Array;
  readonly places: Int32Array;
  readonly lengths: Int32Array;
}

/** The bytes that announce a value in a tuple of pgoutput. */
export const VALUE = { null: 0x6e, unchanged: 0x75, printed: 0x74, binary: 0x62 } as const;

/** More columns a table cannot have. */
const MOST_COLUMNS = 1664;

export function createTuple(): Tuple {
  return {
    columns: 0,
    kinds: new Uint8Array(MOST_COLUMNS),
    places: new Int32Array(MOST_COLUMNS),
    lengths: new Int32Array(MOST_COLUMNS),
  };
}

/** Finds the values of the tuple that begins at `at`, and answers where it ends. */
export function readTuple(tuple: Tuple, view: DataView, at: number): number {
  const { kinds, places, lengths } = tuple;
  const columns = view.getUint16(at);
  if (columns > MOST_COLUMNS) throw new RangeError('the log holds a row of an impossible width');
  let place = at + 2;
  for (let column = 0; column < columns; column++) {
    const kind = view.getUint8(place++);
    kinds[column] = kind;
    if (kind === VALUE.printed || kind === VALUE.binary) {
      const length = view.getInt32(place);
      lengths[column] = length;
      places[column] = place + 4;
      place += 4 + length;
    }
  }
  tuple.columns = columns;
  return place;
}
