import { consolePartition } from '#console/console-partitions.ts';
import type { ConsoleSession } from '#console/console-session.ts';
import { type AwsEnv, dialUrl } from '#credentials/aws-env.ts';
import { CredentialError } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import type { HttpAnswer, HttpSend } from '#credentials/http-send.ts';
import type { PartitionId } from '#endpoints/partitions.ts';

export type SigninTokenInput = {
  readonly partition: PartitionId;
  /** of the role, with a session token */
  readonly credentials: Credentials;
  readonly session: ConsoleSession;
  readonly env: AwsEnv;
  readonly send: HttpSend;
};

export type SigninToken = {
  /** a secret: whoever has it is signed in */
  readonly token: string;
  /** how long the console's session lasts */
  readonly sessionSeconds: number;
};

const timeoutMs = 10_000;

/**
 * Asks AWS's sign-in service for a token that stands for the role's credentials. The address asked for holds them, so it is in no error and
 * in no log, and what a failing network says of it is dropped with it. Asked once more without SessionDuration where AWS refuses that: the agent's
 * keys were temporary without looking it. Rejects with CredentialError.
 */
export async function getSigninToken(input: SigninTokenInput): Promise<SigninToken> {
  const { session } = input;
  const asked = await ask(input, session.sessionSeconds);
  if (asked.status === 400 && session.sessionSeconds !== undefined) {
    return { token: tokenIn(await ask(input, undefined)), sessionSeconds: session.assumeRoleSeconds };
  }
  return { token: tokenIn(asked), sessionSeconds: session.sessionSeconds ?? session.assumeRoleSeconds };
}

async function ask({ partition, credentials, env, send }: SigninTokenInput, sessionSeconds: number | undefined): Promise<HttpAnswer> {
  const host = consolePartition(partition)?.signInHost;
  if (host === undefined) throw new CredentialError('invalid', `partition ${partition} has no sign-in service`);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  if (sessionToken === undefined) throw new CredentialError('invalid', 'the console takes credentials of a role only');
  const url = dialUrl({ env, service: 'SIGNIN', host });
  url.pathname = `${url.pathname.replace(/\/$/, '')}/federation`;
  const query = new URLSearchParams({ Action: 'getSigninToken' });
  if (sessionSeconds !== undefined) query.set('SessionDuration', String(sessionSeconds));
  query.set('Session', JSON.stringify({ sessionId: accessKeyId, sessionKey: secretAccessKey, sessionToken }));
  url.search = query.toString();
  const headers = ['host', host, 'accept', 'application/json'];
  try {
    return await send({ method: 'GET', url, headers, body: Buffer.alloc(0), timeoutMs });
  } catch {
    throw new CredentialError('unavailable', `the sign-in service of AWS (${host}) cannot be reached`);
  }
}

/** Nothing of the answer is shown: a service that repeats what it was asked would repeat the keys. */
function tokenIn(answer: HttpAnswer): string {
  if (answer.status === 429 || answer.status >= 500) {
    throw new CredentialError('unavailable', `the sign-in service of AWS answered ${answer.status}; try again in a minute`);
  }
  if (answer.status !== 200) {
    throw new CredentialError('denied', `the sign-in service of AWS refused the credentials of the role (${answer.status})`);
  }
  const token = signinToken(answer.body);
  if (token === undefined) throw new CredentialError('invalid', 'the sign-in service of AWS answered without a token');
  return token;
}

function signinToken(body: Buffer): string | undefined {
  try {
    const { SigninToken: token }: { SigninToken?: unknown } = JSON.parse(body.toString('utf8'));
    return typeof token === 'string' && /^[!-~]{1,8192}$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}
