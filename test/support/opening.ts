/** Tells how a part that is open now is closed again. */
export type Closing = (close: () => unknown) => void;

/**
 * Opens what a test needs, part after part. Each part hands `closing` how it is closed again. `close` of the whole does so
 * newest first, each once, also when one of them fails; so does a part that cannot be opened, before its reason is thrown: what stays open would keep the
 * process from ending, and so from telling why.
 */
export async function opening<T extends object>(
  open: (closing: Closing) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const parts: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let part = parts.pop(); part; part = parts.pop()) {
      try {
        await part();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    return Object.assign(await open((part) => void parts.push(part)), { close });
  } catch (error) {
    // Of two failures the first tells more.
    await close().catch(() => undefined);
    throw error;
  }
}
