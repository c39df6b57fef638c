import { createHash } from 'node:crypto';
import type { Transporter } from 'nodemailer';
import { Failure } from '../errors.ts';

export interface Mail {
  /** Of event and recipient: the Message-ID is made of it, so that a second delivery is recognised. */
  readonly key: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Mailer {
  /** Throws `configuration_invalid` when the server refuses the mail for good, `unreachable` when it may take it later. */
  send(mail: Mail): Promise<void>;
  close(): void;
}

const CONNECT_MS = 5000;
/** Below the time in which the outbox gives a delivery up, so that its end is known. */
const ANSWER_MS = 9000;
const MOST_CONNECTIONS = 2;

/**
 * Sends by one server, `smtp://` or `smtps://`, with STARTTLS where it is offered; keeps a few connections. Certificates are
 * checked; `?verify=no` in the URL takes any, for a relay of one's own.
 */
export function createMailer(url: string, from: string): Mailer {
  // Loaded when the first mail is sent: most starts of a server send none.
  let transport: Promise<Transporter> | undefined;
  const domain = from.slice(from.lastIndexOf('@') + 1);
  return {
    async send({ key, to, subject, text, html }) {
      const messageId = `<${createHash('sha256').update(key).digest('hex').slice(0, 40)}@${domain}>`;
      const headers = { 'auto-submitted': 'auto-generated' };
      // Objects, not text: an address must never be read as several.
      const recipient = { name: '', address: to };
      const mail = { from, to: recipient, subject: oneLine(subject), text, html, messageId, headers };
      try {
        await (await (transport ??= connect(url))).sendMail(mail);
      } catch (error) {
        throw explain(error as MailError);
      }
    },
    close: () => void transport?.then((opened) => opened.close()),
  };
}

async function connect(url: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  const address = new URL(url);
  return createTransport({
    pool: true,
    maxConnections: MOST_CONNECTIONS,
    host: address.hostname.replace(/^\[|\]$/g, ''),
    port: Number(address.port) || (address.protocol === 'smtps:' ? 465 : 587),
    secure: address.protocol === 'smtps:',
    ...(address.username !== '' && {
      auth: { user: decodeURIComponent(address.username), pass: decodeURIComponent(address.password) },
    }),
    tls: { rejectUnauthorized: address.searchParams.get('verify') !== 'no' },
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: ANSWER_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

interface MailError extends Error {
  readonly code?: string;
  /** SMTP status; 5xx is for good. */
  readonly responseCode?: number;
}

function explain(error: MailError): Failure {
  const said = oneLine(error.message).slice(0, 500);
  if (error.code === 'EAUTH') {
    // The remedy is the operator's; messages wait for it.
    return new Failure('unreachable', `the mail server refuses our user: ${said}`, { cause: error });
  }
  if ((error.responseCode ?? 0) >= 500) {
    return new Failure('configuration_invalid', `the mail server refuses the message: ${said}`, { cause: error });
  }
  return new Failure('unreachable', `the mail could not be sent: ${said}`, { cause: error });
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}
