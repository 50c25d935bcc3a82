import type { ServerResource } from '#routing/agent-directory.ts';

interface SentApp {
  readonly spec?: { readonly public_addr?: unknown };
  readonly status?: { readonly refused?: unknown };
}

/**
 * The host names of applications, lower case, as auth lists them: the one that was given, or the name under the address of this proxy. A
 * name that two applications would have is nobody's, and the proxy's own is always its own.
 */
export function appHosts(servers: readonly ServerResource[], ownHosts: readonly string[]): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>();
  const doubled = new Set(ownHosts);
  for (const { kind, metadata, spec } of servers) {
    if (kind !== 'app_server') continue;
    const { spec: app, status } = (spec.app ?? {}) as SentApp;
    if (status?.refused !== undefined) continue;
    const { public_addr: given } = app ?? {};
    const names = typeof given === 'string' && given !== '' ? [given.toLowerCase()] : ownHosts.map((host) => `${metadata.name}.${host}`);
    for (const name of names) {
      const holder = hosts.get(name);
      if (holder !== undefined && holder !== metadata.name) doubled.add(name);
      hosts.set(name, metadata.name);
    }
  }
  for (const name of doubled) hosts.delete(name);
  return hosts;
}
