import type { Store } from '@postern/store';
import { isRefused, publicAddressOf } from '#presence/served-resource.ts';
import { readResource, type ResourceJson } from '#resources/stored-resource.ts';

export interface AddressedApp {
  readonly kind: 'db' | 'app';
  readonly name: string;
  /** Empty: its name under the address of each proxy. */
  readonly publicAddress: string;
}

/**
 * Why an application may not be reached under the host names that it would have, or undefined: the proxy's own name is the proxy's, and a
 * name that another application has already stays that one's. A proxy that finds two of one name all the same serves neither.
 */
export async function addressConflict(store: Store, app: AddressedApp): Promise<string | undefined> {
  if (app.kind !== 'app') return undefined;
  const proxies = await proxyHosts(store);
  const wanted = hostsOf(app, proxies);
  const ofProxy = wanted.find((host) => proxies.includes(host));
  if (ofProxy !== undefined) return `${ofProxy} is the address of the proxy: give app/${app.name} another public_addr`;
  const others = [
    ...(await store.list('apps/')).map(readResource).map(definedApp),
    ...(await store.list('app_servers/')).map(readResource).flatMap(servedApp),
  ];
  for (const other of others) {
    const taken = other.name === app.name ? undefined : hostsOf(other, proxies).find((host) => wanted.includes(host));
    if (taken !== undefined) return `${taken} is the address of app/${other.name}: give app/${app.name} another public_addr`;
  }
  return undefined;
}

/** An `app_server` with the host name that browsers use filled in, where the agent gave none. */
export async function withPublicAddress(store: Store, resource: ResourceJson): Promise<ResourceJson> {
  if (publicAddressOf(resource) !== '') return resource;
  const [first] = await store.list('proxies/', { limit: 1 });
  const address = first === undefined ? undefined : readResource(first).spec['public_addr'];
  if (typeof address !== 'string') return resource;
  const app = resource.spec['app'] as { readonly spec?: Readonly<Record<string, unknown>> };
  const publicAddress = `${resource.metadata.name}.${hostOf(address)}`;
  return { ...resource, spec: { ...resource.spec, app: { ...app, spec: { ...app.spec, public_addr: publicAddress } } } };
}

async function proxyHosts(store: Store): Promise<readonly string[]> {
  const addresses = (await store.list('proxies/')).flatMap((entry) => {
    const { public_addr: shown, own_addr: own } = readResource(entry).spec;
    return [shown, own].filter((address) => typeof address === 'string');
  });
  return [...new Set(addresses.map(hostOf))];
}

function hostsOf(app: Pick<AddressedApp, 'name' | 'publicAddress'>, proxies: readonly string[]): readonly string[] {
  return app.publicAddress === '' ? proxies.map((host) => `${app.name}.${host}`) : [app.publicAddress.toLowerCase()];
}

function definedApp({ metadata, spec }: ResourceJson): Pick<AddressedApp, 'name' | 'publicAddress'> {
  const { public_addr: publicAddress } = spec;
  return { name: metadata.name, publicAddress: typeof publicAddress === 'string' ? publicAddress : '' };
}

function servedApp(resource: ResourceJson): readonly Pick<AddressedApp, 'name' | 'publicAddress'>[] {
  return isRefused(resource) ? [] : [{ name: resource.metadata.name, publicAddress: publicAddressOf(resource) }];
}

/** `host` of `host:port` and `[v6]:port`. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').toLowerCase();
}
