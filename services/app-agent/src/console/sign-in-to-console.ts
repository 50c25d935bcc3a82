import { assumeRoleRequest, type LiveSession, type SessionPlaces } from '@postern/agent';
import { ConsoleSignIn, PosternError, type SignInToConsoleRequest } from '@postern/api';
import {
  type AssumeRoleCache,
  type AwsEnv,
  consoleDestination,
  consoleSession,
  CredentialError,
  type CredentialSource,
  getSigninToken,
  type HttpSend,
  isOwnLack,
  signInUrl,
  signInUrlSeconds,
} from '@postern/aws';
import type { Application } from '#apps/application.ts';
import type { ConsoleRecords } from '#audit/console-records.ts';
import { launchPage } from '#console/launch-page.ts';
import type { SessionPlace } from '#requests/session-place.ts';

export interface SignInToConsoleDeps {
  readonly places: SessionPlaces<Application, SessionPlace>;
  readonly records: ConsoleRecords;
  /** The agent's own credentials: temporary ones cannot give a session of more than an hour. */
  readonly source: Pick<CredentialSource, 'current'>;
  readonly assumer: Pick<AssumeRoleCache, 'credentialsFor'>;
  readonly env: AwsEnv;
  readonly send: HttpSend;
  /** host:port of the proxy that the agent knows; the launch page is there. */
  readonly proxyAddress: string | undefined;
  readonly nowMs: () => number;
  readonly onWarning: (message: string, fields: { readonly user: string; readonly resource: string; readonly reason: string }) => void;
}

/**
 * A sign-in address of the AWS console under the session's role. Whoever opens it has the console until its session ends, and nobody but
 * AWS can end that sooner: so it ends with the certificate. Nothing of the exchange with AWS is in an error, a log or an event.
 */
export async function signInToConsole(
  deps: SignInToConsoleDeps,
  session: LiveSession,
  asked: SignInToConsoleRequest,
): Promise<ConsoleSignIn> {
  const place = deps.places.of(session);
  const no = (error: PosternError, role?: string): never => {
    const placed = 'reason' in place ? undefined : place;
    deps.records.refused({ session, place: placed, destination: asked.destination, reason: error.message, role });
    throw error;
  };
  if ('reason' in place) return no(new PosternError('denied', place.reason));
  const verdict = session.facts.standing.authorize(place.asked);
  if (!verdict.allowed) return no(new PosternError(verdict.cause === 'stale' ? 'unavailable' : 'denied', verdict.reason), verdict.role);
  const { uri, partition } = place.application;
  const destination = consoleDestination({ uri, destination: asked.destination, partition });
  if ('refusal' in destination) return no(new PosternError('bad_request', destination.refusal));
  const issuer = launchPage({ asked: asked.issuer, application: place.application, proxyAddress: deps.proxyAddress });
  if ('refusal' in issuer) return no(new PosternError('bad_request', issuer.refusal));

  const own = await deps.source.current().catch((error: unknown) => no(worded(deps, session, error)));
  const lengths = consoleSession({
    agentCredentialsAreTemporary: own.sessionToken !== undefined || place.assume.assumeRoleArn !== undefined,
    remainingSeconds: (session.facts.notAfterMs - deps.nowMs()) / 1000,
  });
  if ('refusal' in lengths) return no(new PosternError('denied', lengths.refusal));

  const record = await deps.records
    .begin(session, place, destination.url)
    .catch(() => no(new PosternError('unavailable', 'nothing was asked of AWS: this agent cannot record the sign-in')));
  try {
    const credentials = await deps.assumer.credentialsFor({
      ...assumeRoleRequest(session, place),
      durationSeconds: lengths.assumeRoleSeconds,
    });
    const { env, send } = deps;
    const { token, sessionSeconds } = await getSigninToken({ partition, credentials, session: lengths, env, send });
    // AWS took its time, and nobody can end what the address opens: it is handed to whoever may have it now.
    const still = session.facts.standing.authorize(place.asked);
    if (!still.allowed) throw new CredentialError('denied', still.reason);
    const url = signInUrl({ partition, token, destination: destination.url, issuer: issuer.url });
    record.done({ sessionSeconds, accessKeyId: credentials.accessKeyId });
    return ConsoleSignIn.fromPartial({ url, urlValidUntilMs: deps.nowMs() + signInUrlSeconds * 1000, sessionSeconds });
  } catch (error) {
    const shown = worded(deps, session, error);
    record.failed(shown.message);
    throw shown;
  }
}

/** What went wrong may hold the address that was asked, keys and all: only words that were made here go on. */
function worded(deps: SignInToConsoleDeps, session: LiveSession, error: unknown): PosternError {
  const known = error instanceof CredentialError ? error : undefined;
  const reason = known?.message ?? 'the sign-in to the console failed';
  const { route } = session.facts;
  // Of its own credentials the agent tells the log by itself, and once.
  if (!isOwnLack(error))
    deps.onWarning('a sign-in to the console failed', {
      user: session.user,
      resource: `app/${route.resourceName}`,
      reason: known?.detail === undefined ? reason : `${reason} (${known.detail})`,
    });
  if (known?.code === 'denied' || known?.code === 'expired') return new PosternError(known.code, reason);
  return new PosternError('unavailable', reason);
}
