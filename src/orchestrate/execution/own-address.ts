import { Failure } from '../../errors.ts';

/** What a call of our own address starts (10.2). */
export type OwnCall =
  | { readonly kind: 'run' }
  | { readonly kind: 'job'; readonly orchestrationId: number; readonly isTrigger: boolean }
  | { readonly kind: 'component'; readonly component: string; readonly envelope: boolean };

/** How this server is reached. */
export interface OwnPlaces {
  readonly origins: readonly string[];
  /** May have a path, which whatever stands before this server takes away. */
  readonly publicUrl: string | null;
}

/** Undefined when the address is not ours; throws `configuration_invalid` when nothing can be started there. */
export function readOwnAddress(text: string, { origins, publicUrl }: OwnPlaces): OwnCall | undefined {
  const url = new URL(text);
  if (!origins.includes(url.origin)) return undefined;
  const path = plain(url);
  const base = publicUrl === null ? '' : baseFor(url, new URL(publicUrl));
  const served = path.startsWith(`${base}/`) ? path.slice(base.length) : path;
  const call = readPath(served.replace(/^\/orchestrator(?=\/)/, ''));
  if (call !== undefined) return call;
  throw new Failure('configuration_invalid', `Nothing can be started at ${path || '/'} of this server`);
}

/** The path with single slashes and none at its end. */
function plain({ pathname }: URL): string {
  return pathname.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '');
}

/** At the public address, the path of it; elsewhere nothing stands before ours. */
function baseFor(url: URL, known: URL): string {
  return url.origin === known.origin ? plain(known) : '';
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
