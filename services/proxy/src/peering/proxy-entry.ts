/** Another proxy of the cluster and where it, and not whoever shares its public address, is reached. */
export interface ProxyEntry {
  readonly proxyId: string;
  /** host:port */
  readonly address: string;
}

const hostPort = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,255}):\d{1,5}$/i;

/** Reads a `proxy` resource. auth has checked what it stores; anything else is passed over, because what is read here is dialled. */
export function readProxyEntry(value: unknown): ProxyEntry | undefined {
  const { kind, metadata, spec } = (value ?? {}) as {
    readonly kind?: unknown;
    readonly metadata?: { readonly name?: unknown };
    readonly spec?: { readonly own_addr?: unknown; readonly public_addr?: unknown };
  };
  const name = metadata?.name;
  if (kind !== 'proxy' || typeof name !== 'string' || name === '') return undefined;
  for (const address of [spec?.own_addr, spec?.public_addr])
    if (typeof address === 'string' && hostPort.test(address)) return { proxyId: name, address };
  return undefined;
}
