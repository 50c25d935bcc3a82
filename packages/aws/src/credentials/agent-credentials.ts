import { agentRegion, type AwsEnv, type AwsLog } from '#credentials/aws-env.ts';
import { CredentialError } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import { type Provider, providerChain, type ProviderName } from '#credentials/provider-chain.ts';

export type CredentialSource = {
  /** Memoised, single flight, refreshed early. Rejects with CredentialError 'no_agent_credentials'. */
  readonly current: () => Promise<Credentials>;
  /**
   * STS refused what these keys signed; `reason` is a sentence that may be shown. Others are looked for, and `problem` says so until they are
   * found or STS takes these: it may have erred, so current() goes on giving them.
   */
  readonly refused: (credentials: Credentials, reason: string) => void;
  /** STS took what these keys signed. */
  readonly taken: (credentials: Credentials) => void;
  /**
   * 0 before the first answer; then goes up when the agent becomes another identity: another source, other long-term keys, another account.
   * Temporary keys that the same source has renewed are the same identity, so what was assumed with them stays good.
   */
  readonly generation: number;
  readonly source: ProviderName | undefined;
  /**
   * A sentence for an administrator: STS refuses what was found, no source has any, or they could not be renewed. Undefined where all is well.
   */
  readonly problem: string | undefined;
};

const refreshBeforeMs = 5 * 60_000;
/** Keys without an expiry may still be changed in the file; how often to look. */
const recheckMs = 5 * 60_000;
/** How soon to ask again where nothing was found, where renewing failed and the old ones still live, or where STS refuses them. */
const retryMs = 2000;
const lack = 'the agent has no AWS credentials: set them in its environment, files or instance role';

export type AgentCredentialsOptions = {
  readonly env: AwsEnv;
  readonly log?: AwsLog;
  readonly now?: () => number;
  /** for tests; default: the chain of provider-chain.ts */
  readonly providers?: readonly Provider[];
};

export function agentCredentials(options: AgentCredentialsOptions): CredentialSource {
  const { env, log = () => {}, now = Date.now } = options;
  let found: { readonly credentials: Credentials; readonly source: ProviderName } | undefined;
  let generation = 0;
  let checkAtMs = 0;
  /** no look before: a source is not asked for each request that is refused */
  let soonestMs = 0;
  let flight: Promise<Credentials> | undefined;
  let failure: CredentialError | undefined;
  let problem: string | undefined;
  let refusal: { readonly credentials: Credentials; readonly reason: string } | undefined;

  async function resolve(): Promise<Credentials> {
    const providers = options.providers ?? providerChain({ env, region: await agentRegion(env) });
    const failures: string[] = [];
    for (const { name, provide } of providers) {
      try {
        return accept(await provide(), name);
      } catch (error) {
        failures.push(`${name}: ${wordsOf(error)}`);
      }
    }
    soonestMs = now() + retryMs;
    checkAtMs = soonestMs;
    const detail = failures.join('; ');
    if (found !== undefined && isAlive(found.credentials, now())) {
      const { expiresAtMs } = found.credentials;
      const end = expiresAtMs === undefined ? '' : ` until ${new Date(expiresAtMs).toISOString()}`;
      problem = `the agent’s AWS credentials cannot be renewed and the old ones are used${end}: ${detail}`;
      return found.credentials;
    }
    refusal = undefined;
    problem = `${lack} (${detail})`;
    failure = new CredentialError('no_agent_credentials', lack, { detail, retryAfterMs: retryMs });
    throw failure;
  }

  function accept(credentials: Credentials, source: ProviderName): Credentials {
    if (!isAlive(credentials, now())) throw new Error('the credentials have expired');
    problem = undefined;
    failure = undefined;
    if (refusal !== undefined && !areSameKeys(refusal.credentials, credentials)) refusal = undefined;
    const { expiresAtMs } = credentials;
    const due = expiresAtMs === undefined ? now() + recheckMs : expiresAtMs - refreshBeforeMs;
    soonestMs = now() + retryMs;
    checkAtMs = refusal === undefined ? Math.max(due, soonestMs) : soonestMs;
    // the same keys stay the same object, for the signing keys that hang on it
    if (found !== undefined && found.source === source && isSame(found.credentials, credentials)) return found.credentials;
    if (found === undefined || isOtherIdentity(found, { credentials, source })) {
      generation += 1;
      log('info', 'agent credentials found', { source, generation });
    }
    found = { credentials, source };
    return credentials;
  }

  return {
    async current() {
      const time = now();
      if (found !== undefined && time < checkAtMs && isAlive(found.credentials, time)) return found.credentials;
      if (failure !== undefined && time < checkAtMs) throw failure;
      flight ??= resolve().finally(() => {
        flight = undefined;
      });
      // renewing early must not hold up a request; where these are refused, others are worth waiting for
      if (refusal === undefined && found !== undefined && isAlive(found.credentials, time)) {
        flight.catch(() => {});
        return found.credentials;
      }
      return flight;
    },
    refused(credentials, reason) {
      // others may have been found since these signed
      if (found === undefined || !areSameKeys(found.credentials, credentials)) return;
      const end = found.source === 'environment' ? ', which is read when the agent starts' : '';
      refusal = { credentials, reason: `${reason} (access key …${credentials.accessKeyId.slice(-4)}, ${found.source}${end})` };
      checkAtMs = Math.min(checkAtMs, soonestMs);
    },
    taken(credentials) {
      if (refusal !== undefined && areSameKeys(refusal.credentials, credentials)) refusal = undefined;
    },
    get generation() {
      return generation;
    },
    get source() {
      return found?.source;
    },
    get problem() {
      return refusal?.reason ?? problem;
    },
  };
}

function isAlive(credentials: Credentials, nowMs: number): boolean {
  return credentials.expiresAtMs === undefined || credentials.expiresAtMs > nowMs;
}

/** What a provider met, to stand within a sentence of ours. The command line of a credential_process may hold a secret: it is left out. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  if (words.startsWith('Command failed')) return 'the credential_process of the profile failed';
  const first = words.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
  return first.replaceAll(/\s+/g, ' ').replaceAll('(s)', 's').replace(/\.$/, '');
}

function isSame(a: Credentials, b: Credentials): boolean {
  return areSameKeys(a, b) && a.expiresAtMs === b.expiresAtMs;
}

/** A source may give the same keys again with another end. */
function areSameKeys(a: Credentials, b: Credentials): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken;
}

type Found = { readonly credentials: Credentials; readonly source: ProviderName };

function isOtherIdentity(before: Found, after: Found): boolean {
  if (before.source !== after.source) return true;
  const wasTemporary = before.credentials.sessionToken !== undefined;
  const isTemporary = after.credentials.sessionToken !== undefined;
  if (wasTemporary !== isTemporary) return true;
  if (!isTemporary) return before.credentials.accessKeyId !== after.credentials.accessKeyId;
  return before.credentials.accountId !== after.credentials.accountId;
}
