import { type AwsEnv, dialUrl } from '#credentials/aws-env.ts';
import { CredentialError } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import type { HttpAnswer, HttpSend } from '#credentials/http-send.ts';
import { element, readAssumeRoleAnswer } from '#credentials/sts-answer.ts';
import { stsHost } from '#endpoints/hosts.ts';
import type { SigningKeys } from '#sigv4/signing-keys.ts';
import { signRequest } from '#sigv4/sign-request.ts';

/** One call of sts:AssumeRole, everything decided. */
export type AssumeRoleCall = {
  readonly region: string;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly externalId: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly sourceIdentity: string | undefined;
  readonly durationSeconds: number;
};

export type StsClient = {
  readonly env: AwsEnv;
  readonly keys: SigningKeys;
  readonly send: HttpSend;
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

const maxAttempts = 3;
const timeoutMs = 5000;
/** A longer wait than this is the caller's, not ours: the user's request stands behind it. */
const maxWaitMs = 2000;

/**
 * Calls STS at its regional host (dialled where AWS_ENDPOINT_URL_STS says), signed by ourselves: loading a client for one operation costs
 * more than the rest of an agent's start. AssumeRole changes nothing, so it may be tried again. Throws CredentialError.
 */
export async function assumeRole(client: StsClient, agent: Credentials, call: AssumeRoleCall): Promise<Credentials> {
  const host = stsHost(call.region);
  const url = dialUrl({ env: client.env, service: 'STS', host });
  const body = Buffer.from(formOf(call).toString(), 'latin1');
  for (let attempt = 1; ; attempt += 1) {
    try {
      const nowMs = client.now();
      const headers = ['content-type', 'application/x-www-form-urlencoded; charset=utf-8', 'accept', 'text/xml'];
      const key = client.keys.for(agent, { nowMs, region: call.region, service: 'sts' });
      const signed = signRequest({ method: 'POST', path: '/', query: '', host, headers, payload: body, nowMs }, key);
      const answer = await client.send({ url, headers: signed.headers, body, timeoutMs }).catch((cause: unknown) => {
        throw new CredentialError('unavailable', `STS cannot be reached to assume role ${call.roleArn}`, { detail: String(cause), cause });
      });
      if (answer.status === 200)
        return readAssumeRoleAnswer(answer, { roleArn: call.roleArn, sessionName: call.sessionName, nowMs: client.now() });
      throw refusalOf(answer, call);
    } catch (error) {
      const isPassing = error instanceof CredentialError && error.code === 'unavailable';
      if (!isPassing || attempt >= maxAttempts || (error.retryAfterMs ?? 0) > maxWaitMs) throw error;
      await client.sleep(error.retryAfterMs ?? Math.ceil(client.random() * 100 * 2 ** attempt));
    }
  }
}

function formOf(call: AssumeRoleCall): URLSearchParams {
  const form = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: call.roleArn,
    RoleSessionName: call.sessionName,
    DurationSeconds: String(call.durationSeconds),
  });
  if (call.externalId !== undefined) form.set('ExternalId', call.externalId);
  if (call.sourceIdentity !== undefined) form.set('SourceIdentity', call.sourceIdentity);
  for (const [i, [key, value]] of Object.entries(call.tags).entries()) {
    form.set(`Tags.member.${i + 1}.Key`, key);
    form.set(`Tags.member.${i + 1}.Value`, value);
  }
  return form;
}

/** STS's error codes: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and CommonErrors there. */
function refusalOf(answer: HttpAnswer, call: AssumeRoleCall): CredentialError {
  const xml = answer.body.toString('utf8');
  const code = element(xml, 'Code') ?? '';
  // The first line: below it, of a signature that does not match, stands the request as STS read it, session token and all.
  const words = (element(xml, 'Message') ?? '').split('\n', 1)[0] ?? '';
  const detail = `${answer.status} ${code}: ${words}`.slice(0, 1000);
  const { roleArn } = call;
  switch (code) {
    case 'AccessDenied':
    case 'AccessDeniedException':
      return new CredentialError(
        'denied',
        `role ${roleArn} cannot be assumed by this agent (its trust policy or the agent's sts:AssumeRole permission)`,
        { detail },
      );
    case 'RegionDisabledException':
      return new CredentialError('denied', `STS is switched off in region ${call.region} of the agent's account`, { detail });
    case 'PackedPolicyTooLarge':
      return new CredentialError('denied', `the session tags for role ${roleArn} are too large for STS`, { detail });
    default:
  }
  const fault = faultOfKeys(code, words, call.region);
  if (fault !== undefined)
    return new CredentialError('no_agent_credentials', `STS refuses the AWS credentials of the agent: ${fault}`, { detail });
  if (
    answer.status >= 500 ||
    answer.status === 429 ||
    /^(Throttling|RequestLimitExceeded|TooManyRequests|RequestThrottled|SlowDown|Idp)/.test(code)
  ) {
    const retryAfterMs = retryAfter(answer.headers['retry-after']);
    return new CredentialError('unavailable', `STS is busy or out of order and role ${roleArn} could not be assumed`, {
      detail,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  return new CredentialError('invalid', `STS refuses the request to assume role ${roleArn}`, { detail });
}

/** What is wrong with the keys that signed, and what to do; undefined where the refusal is of something else. */
function faultOfKeys(code: string, words: string, region: string): string | undefined {
  switch (code) {
    case 'ExpiredToken':
    case 'ExpiredTokenException':
      return `they have expired (${code}); whoever runs it has to renew them`;
    case 'InvalidClientTokenId':
    case 'UnrecognizedClientException':
      return `AWS does not know them in region ${region}, or they are switched off (${code}); whoever runs it has to give it others`;
    case 'SignatureDoesNotMatch':
    case 'IncompleteSignature':
      return /^Signature (expired|not yet current)/.test(words)
        ? `the clock of its machine is wrong (${code}); whoever runs it has to set it`
        : `their secret access key is wrong (${code}); whoever runs it has to correct it`;
    default:
      return undefined;
  }
}

/** Seconds only: the date form would make our clock part of the wait. At most five minutes. */
function retryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Math.min(Number(value), 300) * 1000 : undefined;
}
