import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** One mail as the server got it. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Header and body as sent. */
  readonly source: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

export interface MailServer {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** What the next mail is answered with instead of being taken; once. */
  refuseNext(status: number, text: string): void;
  stop(): Promise<void>;
}

/** A real SMTP server. With a user, nobody else may send; STARTTLS is offered unless `plain`. */
export async function startMailServer(
  options: { port?: number; user?: { name: string; password: string }; plain?: boolean } = {},
): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  let refusal: (Error & { responseCode: number }) | undefined;
  const server = new SMTPServer({
    authOptional: options.user === undefined,
    disabledCommands: options.plain ? ['STARTTLS'] : [],
    logger: false,
    closeTimeout: 100,
    onAuth(auth, _session, done) {
      const isRight = auth.username === options.user?.name && auth.password === options.user?.password;
      if (isRight) done(null, { user: auth.username });
      else done(new Error('wrong user or password'));
    },
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const refused = refusal;
        refusal = undefined;
        if (refused) return done(refused);
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          source: Buffer.concat(parts).toString('utf8'),
          isEncrypted: session.secure,
          user: session.user as string | undefined,
        });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    refuseNext(status, text) {
      refusal = Object.assign(new Error(text), { responseCode: status });
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
