/** Turns the direction of the text around them: a name with one could make a line read as something else. */
const OVERRIDES = /[\u202a-\u202e\u2066-\u2069]/gu;
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

/** Text of others as one line that can stand anywhere: no control characters, nothing that a database refuses, cut. */
export function oneLine(text: string, most: number): string {
  const line = text.toWellFormed().replace(OVERRIDES, '').replace(BREAKS, ' ').trim();
  if (line.length <= most) return line;
  // A pair of surrogates that is cut in two would be no text.
  return `${line.slice(0, most - 1).replace(/[\ud800-\udbff]$/u, '')}…`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML shows it, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** `2026-11-20 12:05:00 UTC` */
export function showInstant(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `1 h 2 min 5 s`, in whole seconds. */
export function showSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const shown = parts.filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount} ${unit}`);
  return shown.length === 0 ? '0 s' : shown.join(' ');
}
