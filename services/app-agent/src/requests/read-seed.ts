import type { LocalKey, RequestHead } from '@postern/agent';
import { type AwsScope, type Credentials, type SigningKeys, verifyRequest } from '@postern/aws';
import type { Refusal } from '#requests/refusals.ts';

/** What a request's signature says before its body is known. */
export type Seed = {
  readonly scope: AwsScope;
  /** The payload line: a hash in hexadecimal, UNSIGNED-PAYLOAD, STREAMING-…; undefined where only the body itself can tell. */
  readonly payload: string | undefined;
};

export interface SignedHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Flat, as they came. */
  readonly headers: readonly string[];
}

/** SHA-256 of nothing. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const CLAIM = /^AWS4-HMAC-SHA256[ \t].*Credential=([\w-]{1,128})\/\d{8}\/([\w-]{1,64})\/([\w.-]{1,64})\/aws4_request/;

/** Verifies requests with the throw-away key of their connection. */
export class SeedReader {
  readonly #keys: SigningKeys;
  readonly #nowMs: () => number;
  /** Derived keys hang on the object: one for each key that a connection has named. */
  readonly #credentials = new WeakMap<LocalKey, Credentials>();

  constructor(keys: SigningKeys, nowMs: () => number) {
    this.#keys = keys;
    this.#nowMs = nowMs;
  }

  /** Everything that can be judged without the body; a signature over a hash that is not named is judged by `judge`. */
  read(head: RequestHead, signed: SignedHead, key: LocalKey, hasBody: boolean): Seed | Refusal {
    const scheme = schemeRefusal(head, signed);
    if (scheme !== undefined) return scheme;
    const [, accessKeyId, region, service] = CLAIM.exec(head.authorization ?? '') ?? [];
    if (accessKeyId === undefined || region === undefined || service === undefined)
      return bad('the authorization header is not an AWS4-HMAC-SHA256 one');
    if (accessKeyId !== key.accessKeyId) return unknownKey(accessKeyId);
    if (head.contentSha256 === undefined && hasBody) return { scope: { region, service }, payload: undefined };
    return this.judge(signed, key, head.contentSha256 === undefined ? EMPTY_SHA256 : undefined);
  }

  judge(signed: SignedHead, key: LocalKey, bodySha256: string | undefined): Seed | Refusal {
    const verified = verifyRequest(
      { ...signed, nowMs: this.#nowMs(), ...(bodySha256 === undefined ? {} : { bodySha256 }) },
      { credentialsOf: (id) => (id === key.accessKeyId ? this.#credentialsOf(key) : undefined), keys: this.#keys },
    );
    if ('awaitsBody' in verified) return bad('the hash of the body is needed to judge this signature');
    if (!('refusal' in verified)) {
      const { region, service, payloadLine } = verified;
      return { scope: { region, service }, payload: payloadLine };
    }
    const { kind, refusal } = verified;
    return { kind, message: refusal, reason: refusal };
  }

  #credentialsOf(key: LocalKey): Credentials {
    const known = this.#credentials.get(key);
    if (known !== undefined) return known;
    const made = { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
    this.#credentials.set(key, made);
    return made;
  }
}

/** What is no signature of version 4 in a header, in words. */
function schemeRefusal(head: RequestHead, { query }: SignedHead): Refusal | undefined {
  const { authorization } = head;
  if (authorization === undefined) {
    if (/(?:^|&)AWSAccessKeyId=/.test(query)) return oldVersion();
    if (/^multipart\/form-data/i.test(head.contentType ?? ''))
      return missing('a form with a policy signs the policy and not the request, so it cannot be signed again: put the object instead');
    return missing('the request is not signed: sign it with the keys that tsh shows');
  }
  if (/^AWS4-HMAC-SHA256[ \t]/.test(authorization)) return undefined;
  if (/^AWS[ \t]/.test(authorization) || authorization.startsWith('AWS3')) return oldVersion();
  if (/^bearer[ \t]/i.test(authorization))
    return missing('a bearer key would leave the role aside: take it out of the environment and sign with the keys that tsh shows');
  return bad('the authorization header is not an AWS4-HMAC-SHA256 one');
}

function oldVersion(): Refusal {
  return missing('the request is signed with version 2, which AWS gives up and which names no service: configure version 4 (s3v4)');
}

function missing(message: string): Refusal {
  return { kind: 'missing_key', message, reason: message };
}

function bad(message: string): Refusal {
  return { kind: 'bad_signature', message, reason: message };
}

function unknownKey(accessKeyId: string): Refusal {
  const message = `the access key ${accessKeyId} is not known here: use the keys that tsh shows for this port`;
  return { kind: 'unknown_key', message, reason: message };
}
