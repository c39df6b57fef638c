import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { isWithin, type AddressRange } from './address.ts';
import { checkBare, isLocalName, readTarget, type Target } from './target.ts';
import type { Trust } from './types.ts';

export interface Admission {
  readonly trust: Trust;
  /** How far inside the addresses of the host may reach. */
  readonly most: AddressRange;
}

/** Who may be called. */
export interface Rules {
  /** As `Outbound.checkUrl`. */
  checkUrl(text: string, options?: { readonly mayBeOwn?: boolean }): string;
  /** Throws `configuration_invalid` when it may not be called whatever its addresses are. */
  admit(target: Target): Admission;
}

export interface ComponentRulesOptions {
  readonly config: Pick<Config, 'trustedComponentHosts' | 'componentHosts' | 'anyPublicHost'>;
  /** Origins under which this server is reached: tasks may name them, and never leave the process. */
  readonly ownOrigins?: () => readonly string[];
}

/** For what tasks call: trusted places as they are, other hosts of the list by https at public addresses. */
export function createComponentRules({ config, ownOrigins }: ComponentRulesOptions): Rules {
  const trusted = new Set(config.trustedComponentHosts);
  const isTrusted = ({ isAsWritten, place }: Target): boolean => isAsWritten && trusted.has(place);
  const isOwn = ({ url }: Target): boolean => ownOrigins?.().includes(url.origin) === true;
  /** This server calls itself by https only, as it would any other host of the list. */
  const checkOther = (target: Target, kind: 'bad_request' | 'configuration_invalid'): void => {
    if (isOwn(target) && target.url.protocol !== 'https:') {
      throw new Failure(kind, `${target.place} is this server; only the componentUrl of a task may name it`);
    }
    checkPublic(target, kind);
  };
  return {
    checkUrl(text, { mayBeOwn = false } = {}) {
      const target = readTarget(text, 'bad_request');
      checkBare(target, 'bad_request');
      if (!(mayBeOwn && isOwn(target)) && !isTrusted(target)) checkOther(target, 'bad_request');
      return target.url.href;
    },
    admit(target) {
      checkBare(target, 'configuration_invalid');
      if (isTrusted(target)) return { trust: 'trusted', most: 'local' };
      checkOther(target, 'configuration_invalid');
      const { host, url } = target;
      if (config.anyPublicHost !== 'allow' && !config.componentHosts.some((entry) => matches(entry, host))) {
        throw new Failure('configuration_invalid', `Host ${host} is not on the allow-list`, {
          advice: 'Ask the operator to add it to PENSTOCK_COMPONENT_HOSTS or PENSTOCK_TRUSTED_COMPONENT_HOSTS.',
        });
      }
      if (url.port !== '') {
        throw new Failure('configuration_invalid', `Port ${url.port} of ${host} may not be called, only 443`, {
          advice: 'Ask the operator to add host and port to PENSTOCK_TRUSTED_COMPONENT_HOSTS.',
        });
      }
      return { trust: 'allowed', most: 'public' };
    },
  };
}

/** For receivers that people name themselves: any host and port; this machine only when `allowsLocal`. */
export function createReceiverRules(allowsLocal: boolean): Rules {
  const most = allowsLocal ? 'local' : 'private';
  return {
    checkUrl: (text) => readTarget(text, 'bad_request').url.href,
    admit: () => ({ trust: 'allowed', most }),
  };
}

/** Throws when an address of the host reaches further inside than it may. */
export function checkAddresses(host: string, addresses: readonly string[], most: AddressRange): void {
  const refused = addresses.find((address) => !isWithin(address, most));
  if (refused === undefined) return;
  throw new Failure('configuration_invalid', `${host} must not be called: its address ${refused} is not allowed`);
}

function checkPublic(target: Target, kind: 'bad_request' | 'configuration_invalid'): void {
  const { url, host, address } = target;
  if (url.protocol !== 'https:') throw new Failure(kind, 'only https is allowed');
  if (isLocalName(host) || (address !== undefined && !isWithin(address, 'public'))) {
    throw new Failure(kind, `${host} must not be called: it is no public address`);
  }
}

function matches(entry: string, host: string): boolean {
  return entry.startsWith('*.') ? host.endsWith(entry.slice(1)) && host.length > entry.length - 1 : host === entry;
}
