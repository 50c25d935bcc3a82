/** What tsh remembers of one sign-in. It holds no key: the key lies beside it in `Credentials`. */
export interface Profile {
  /** host:port of the proxy; the profile's name. */
  readonly proxy: string;
  readonly user: string;
  readonly cluster: string;
  readonly roles: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
  readonly hostCaPems: readonly string[];
  /** False where the cluster was taken on trust (--insecure without --ca-pin): every later command must say so again. */
  readonly verified: boolean;
  readonly validUntilMs: number;
  /** Of the first sign-in since the last logout: what runs goes on through a new sign-in, and not through a logout before it. */
  readonly sinceMs: number;
}

export interface Credentials {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export function profileToJson(profile: Profile): string {
  return `${JSON.stringify({ version: 1, ...profile }, undefined, 2)}\n`;
}

/** Undefined where the text is not a profile of this version. */
export function profileFromJson(text: string): Profile | undefined {
  let value: Partial<Record<keyof Profile, unknown>> | null;
  try {
    value = JSON.parse(text) as Partial<Record<keyof Profile, unknown>> | null;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { proxy, user, cluster, roles, traits, hostCaPems, verified, validUntilMs, sinceMs = 0 } = value;
  if (typeof proxy !== 'string' || typeof user !== 'string' || typeof cluster !== 'string') return undefined;
  if (!isTexts(roles) || !isTexts(hostCaPems) || typeof verified !== 'boolean' || typeof validUntilMs !== 'number') return undefined;
  if (typeof sinceMs !== 'number') return undefined;
  if (typeof traits !== 'object' || traits === null || !Object.values(traits).every(isTexts)) return undefined;
  return { proxy, user, cluster, roles, traits: traits as Profile['traits'], hostCaPems, verified, validUntilMs, sinceMs };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
