const CODES = /^(08...|57P0[1-5]|ECONN[A-Z]+|EPIPE|ENOENT|ETIMEDOUT)$/;
const MESSAGES =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/;

/** Whether a statement failed because the connection to our own database broke, and not because of the statement. */
export function isConnectionLoss(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return (typeof code === 'string' && CODES.test(code)) || (typeof message === 'string' && MESSAGES.test(message));
}
