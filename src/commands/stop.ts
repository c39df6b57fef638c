/** A terminal sends its interrupt to us and to our launcher, which hands it on: both mean one request. */
const SAME_REQUEST_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Resolves at the first signal to stop; a second one, a second later or more, ends the process at once. */
export function untilAskedToStop(): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        firstAt ??= performance.now();
        if (performance.now() - firstAt > SAME_REQUEST_MS) process.exit(130);
        resolve();
      });
    }
  });
}
