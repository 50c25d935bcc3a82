import { agentRegion, type AwsEnv, type AwsLog } from '#credentials/aws-env.ts';
import { CredentialError } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import { type Provider, providerChain, type ProviderName } from '#credentials/provider-chain.ts';

export type CredentialSource = {
  /** Memoised, single flight, refreshed early. Rejects with CredentialError 'no_agent_credentials'. */
  readonly current: () => Promise<Credentials>;
  /** AWS did not accept what current() gave: look again next time. */
  readonly invalidate: () => void;
  /**
   * 0 before the first answer; then goes up when the agent becomes another identity: another source, other long-term keys, another account.
   * Temporary keys that the same source has renewed are the same identity, so what was assumed with them stays good.
   */
  readonly generation: number;
  readonly source: ProviderName | undefined;
  /** What the last look met, as a sentence for an administrator: no source has any, or they could not be renewed. Undefined where it found some. */
  readonly problem: string | undefined;
};

const refreshBeforeMs = 5 * 60_000;
/** Keys without an expiry may still be changed in the file; how often to look. */
const recheckMs = 5 * 60_000;
/** How soon to ask again where nothing was found, or where renewing failed and the old ones still live. */
const retryMs = 2000;

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
  let flight: Promise<Credentials> | undefined;
  let failure: CredentialError | undefined;
  let problem: string | undefined;

  async function resolve(): Promise<Credentials> {
    const providers = options.providers ?? providerChain({ env, region: await agentRegion(env) });
    const failures: string[] = [];
    for (const { name, provide } of providers) {
      try {
        return accept(await provide(), name);
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    checkAtMs = now() + retryMs;
    const detail = failures.join('; ');
    if (found !== undefined && isAlive(found.credentials, now())) {
      const { expiresAtMs } = found.credentials;
      const end = expiresAtMs === undefined ? '' : ` until ${new Date(expiresAtMs).toISOString()}`;
      problem = `the agent’s AWS credentials cannot be renewed and the old ones are used${end}: ${detail}`;
      log('warn', 'the agent credentials could not be renewed and the old ones are used', { source: found.source, detail });
      return found.credentials;
    }
    problem = `the agent has no AWS credentials: ${detail}`;
    failure = new CredentialError(
      'no_agent_credentials',
      'the agent has no AWS credentials: set them in its environment, files or instance role',
      { detail, retryAfterMs: retryMs },
    );
    throw failure;
  }

  function accept(credentials: Credentials, source: ProviderName): Credentials {
    if (!isAlive(credentials, now())) throw new Error('the credentials have expired');
    problem = undefined;
    const { expiresAtMs } = credentials;
    const due = expiresAtMs === undefined ? now() + recheckMs : expiresAtMs - refreshBeforeMs;
    checkAtMs = Math.max(due, now() + retryMs);
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
      if (found === undefined && failure !== undefined && time < checkAtMs) throw failure;
      flight ??= resolve().finally(() => {
        flight = undefined;
      });
      // renewing early must not hold up a request
      if (found !== undefined && isAlive(found.credentials, time)) {
        flight.catch(() => {});
        return found.credentials;
      }
      return flight;
    },
    invalidate() {
      checkAtMs = 0;
      if (found?.credentials.expiresAtMs !== undefined) found = { ...found, credentials: { ...found.credentials, expiresAtMs: 0 } };
    },
    get generation() {
      return generation;
    },
    get source() {
      return found?.source;
    },
    get problem() {
      return problem;
    },
  };
}

function isAlive(credentials: Credentials, nowMs: number): boolean {
  return credentials.expiresAtMs === undefined || credentials.expiresAtMs > nowMs;
}

function isSame(a: Credentials, b: Credentials): boolean {
  return (
    a.accessKeyId === b.accessKeyId &&
    a.secretAccessKey === b.secretAccessKey &&
    a.sessionToken === b.sessionToken &&
    a.expiresAtMs === b.expiresAtMs
  );
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
