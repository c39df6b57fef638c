/** Tells how a part that is open now is closed again. */
export type Closing = (close: () => unknown) => void;

/**
 * Opens what a test needs, part after part. Each part hands `closing` how it is closed again. `close` of the whole does so
 * newest first; so does a part that cannot be opened, before its reason is thrown: what stays open would keep the process
 * from ending, and so from telling why.
 */
export async function opening<T extends object>(
  open: (closing: Closing) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const parts = new AsyncDisposableStack();
  try {
    const opened = await open((close) => parts.defer(async () => void (await close())));
    return Object.assign(opened, { close: () => parts.disposeAsync() });
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}
