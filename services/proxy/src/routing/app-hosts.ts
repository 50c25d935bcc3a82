import type { ServerResource } from '#routing/agent-directory.ts';

interface SentApp {
  readonly spec?: { readonly public_addr?: unknown };
  readonly status?: { readonly refused?: unknown };
}

/**
 * The host names of applications, lower case: the one that auth lists, and of each its name under the address of this proxy. A listed name
 * that two applications would have is nobody's, and the proxy's own is always its own. Auth has settled whose a listed name is; it goes
 * before the other name of an application that has a listed one.
 */
export function appHosts(servers: readonly ServerResource[], ownHosts: readonly string[]): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>();
  const doubled = new Set(ownHosts);
  const named = new Set<string>();
  for (const { kind, metadata, spec } of servers) {
    if (kind !== 'app_server') continue;
    const { spec: app, status } = (spec.app ?? {}) as SentApp;
    if (status?.refused !== undefined) continue;
    const { public_addr: given } = app ?? {};
    const hasGiven = typeof given === 'string' && given !== '';
    if (hasGiven) named.add(metadata.name);
    const names = hasGiven ? [given.toLowerCase()] : under(metadata.name, ownHosts);
    for (const name of names) {
      const holder = hosts.get(name);
      if (holder !== undefined && holder !== metadata.name) doubled.add(name);
      hosts.set(name, metadata.name);
    }
  }
  for (const app of named) for (const name of under(app, ownHosts)) if (!hosts.has(name)) hosts.set(name, app);
  for (const name of doubled) hosts.delete(name);
  return hosts;
}

function under(app: string, ownHosts: readonly string[]): readonly string[] {
  return ownHosts.map((host) => `${app}.${host}`.toLowerCase());
}
