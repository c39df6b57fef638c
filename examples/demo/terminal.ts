const live = process.stdout.isTTY === true;

/** A heading of the story that the demo tells. */
export function step(text: string): void {
  console.log(`\n▸ ${text}`);
}

export function say(text: string): void {
  console.log(`  ${text}`);
}

/** Redraws one line on a terminal; elsewhere prints only now and then, so that a log stays readable. */
export function progressLine(): { show(text: string): void; end(): void } {
  let last = 0;
  return {
    show(text) {
      if (live) process.stdout.write(`\r\x1b[2K  ${text}`);
      else if (performance.now() - last > 2000) {
        last = performance.now();
        say(text);
      }
    },
    end() {
      if (live) process.stdout.write('\r\x1b[2K');
    },
  };
}

/** 1234567 → 1,234,567 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Rows as a small table with the given columns. */
export function table(rows: readonly Record<string, unknown>[], columns: readonly string[]): void {
  const cells = rows.map((row) => columns.map((column) => cell(row[column])));
  const widths = columns.map((column, index) => Math.max(column.length, ...cells.map((row) => row[index]!.length)));
  const line = (row: readonly string[]): string => row.map((text, index) => text.padEnd(widths[index]!)).join('  ');
  say(line(columns));
  say(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of cells) say(line(row));
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '∅';
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  return String(value);
}
