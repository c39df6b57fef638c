import { Failure } from '../../errors.ts';

/** What a call of our own address starts (10.2). */
export type OwnCall =
  | { readonly kind: 'run' }
  | { readonly kind: 'job'; readonly orchestrationId: number; readonly isTrigger: boolean }
  | { readonly kind: 'component'; readonly component: string; readonly envelope: boolean };

/** Undefined when the address is not ours; throws `configuration_invalid` when nothing can be started there. */
export function readOwnAddress(text: string, origins: readonly string[]): OwnCall | undefined {
  const url = new URL(text);
  if (!origins.includes(url.origin)) return undefined;
  const path = url.pathname.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '');
  const call = readPath(path.replace(/^\/orchestrator(?=\/)/, ''));
  if (call !== undefined) return call;
  throw new Failure('configuration_invalid', `Nothing can be started at ${path || '/'} of this server`);
}

function readPath(path: string): OwnCall | undefined {
  if (path === '/run') return { kind: 'run' };
  const [, id, what] = /^\/orchestrations\/(\d{1,15})\/(jobs|trigger)$/.exec(path) ?? [];
  if (id !== undefined) return { kind: 'job', orchestrationId: Number(id), isTrigger: what === 'trigger' };
  const [, place, component] = /^\/(components|docker)\/([^/]{1,255})\/run(?:\/tag\/[^/]+)?$/.exec(path) ?? [];
  if (component === undefined) return undefined;
  return { kind: 'component', component: decode(component), envelope: place === 'docker' };
}

/** What is no encoding is the name itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
