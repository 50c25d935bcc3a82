import { resourceId } from '@postern/pki';

/** The parts of a `db_server` or `app_server` that say which agent serves what. */
export interface ServerResource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly host_id: string;
    readonly database?: { readonly status?: unknown };
    readonly app?: { readonly status?: unknown };
  };
}

/** From auth, so of the right shape unless auth is of another version; such a one is passed over. */
export function isServer(value: unknown): value is ServerResource {
  const { kind, metadata, spec } = (value ?? {}) as Partial<ServerResource>;
  return typeof kind === 'string' && typeof metadata?.name === 'string' && typeof spec?.host_id === 'string';
}

const UNHEALTHY_MS = 30_000;

/** Which agents serve a resource, by what auth lists; an agent's own word counts for nothing here. */
export class AgentDirectory {
  #byResource: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** Of each resource that is listed, by kind and name. */
  #keys: ReadonlyMap<string, string> = new Map();
  readonly #failedAtMs = new Map<string, number>();
  readonly #nowMs: () => number;
  readonly #random: () => number;
  constructor(options: { readonly nowMs: () => number; readonly random?: () => number }) {
    this.#nowMs = options.nowMs;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Replaces everything by the servers that auth lists now. Where one of thousands of agents comes or goes the others are what they
   * were: a resource that is listed already costs no hash.
   */
  replace(servers: readonly ServerResource[]): void {
    const byResource = new Map<string, Set<string>>();
    const keys = new Map<string, string>();
    for (const { kind, metadata, spec } of servers) {
      if (isRefused(spec.database?.status) || isRefused(spec.app?.status)) continue;
      const resource = `${kind}/${metadata.name}`;
      const key = keys.get(resource) ?? this.#keys.get(resource) ?? resourceId(kind.replace(/_server$/, ''), metadata.name).toString('hex');
      keys.set(resource, key);
      const agents = byResource.get(key) ?? new Set<string>();
      byResource.set(key, agents.add(spec.host_id));
    }
    this.#byResource = byResource;
    this.#keys = keys;
  }

  /** In the order to try: shuffled, those that failed lately last. */
  agentsFor(resource: Buffer): string[] {
    const agents = [...(this.#byResource.get(resource.toString('hex')) ?? [])];
    const weighed = agents.map((agentId) => ({ agentId, order: this.#random() + (this.#failedLately(agentId) ? 1 : 0) }));
    return weighed.sort((a, b) => a.order - b.order).map(({ agentId }) => agentId);
  }

  reportFailure(agentId: string): void {
    this.#failedAtMs.set(agentId, this.#nowMs());
  }

  reportSuccess(agentId: string): void {
    this.#failedAtMs.delete(agentId);
  }

  #failedLately(agentId: string): boolean {
    const at = this.#failedAtMs.get(agentId);
    if (at === undefined) return false;
    if (this.#nowMs() - at < UNHEALTHY_MS) return true;
    this.#failedAtMs.delete(agentId);
    return false;
  }
}

/** A name that another agent holds with other settings: auth keeps it on show and it serves nobody. */
function isRefused(status: unknown): boolean {
  return typeof status === 'object' && status !== null && 'refused' in status;
}
