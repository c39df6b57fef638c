import { createCaller } from './caller.ts';
import { createComponentRules, createReceiverRules, type ComponentRulesOptions } from './rules.ts';
import type { ConnectionOptions, Outbound } from './types.ts';

/**
 * The client for what tasks, components and orchestrations call (keboola contract, section 10): trusted `host:port` as
 * they are, other hosts of the allow-list by https on port 443 at public addresses only.
 */
export function createOutbound(options: ComponentRulesOptions & ConnectionOptions): Outbound {
  return createCaller(createComponentRules(options), options);
}

/**
 * The client for receivers of messages that administrators name: http or https, any host and port, private networks
 * too; this machine only when `allowsLocal`, which is for a server that listens on loopback. Never metadata services.
 */
export function createReceiverOutbound(options: ConnectionOptions & { readonly allowsLocal: boolean }): Outbound {
  return createCaller(createReceiverRules(options.allowsLocal), options);
}
