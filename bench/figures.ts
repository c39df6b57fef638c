/** One measured figure, with what it should reach; `ratio` figures compare two things of the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** `>= 0.5`, `<= 400`: the goal; absent for floors and facts. */
  readonly reach?: string;
}

/** Sizes of a measurement: the full one, or a quick one that only proves that the bench works. */
export interface Scale {
  readonly smoke: boolean;
  /** How often the noisy figures are taken; their median counts. */
  readonly rounds: number;
  /** Only the cases whose names hold this word. */
  readonly only?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** True when the figure has no goal or meets it. */
export function reaches(figure: Figure): boolean {
  const goal = /^(>=|<=) ([\d.]+)$/.exec(figure.reach ?? '');
  if (!goal) return true;
  return goal[1] === '>=' ? figure.value >= Number(goal[2]) : figure.value <= Number(goal[2]);
}

/** `1234567.8` → `1,234,568`; small values keep three significant digits. */
export function show(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
