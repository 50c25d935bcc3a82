import type { AwsProtocol } from '#requests/aws-request.ts';

/** Why a request is not carried out; each protocol has its own code for it. */
export type RefusalKind =
  /** policy says no */
  | 'denied'
  /** too many of them; tried again by every SDK */
  | 'throttled'
  /** AWS, STS or something of ours is away; tried again by every SDK */
  | 'unavailable'
  /** the user's session has ended */
  | 'expired'
  /** there is no signature at all */
  | 'missing_key'
  | 'unknown_key'
  | 'bad_signature'
  /** the clocks differ: the SDKs correct theirs by the Date header and try again */
  | 'skewed'
  /** the signature is for another service or region than the host's */
  | 'wrong_scope'
  | 'bad_request'
  | 'too_large'
  /** a fault of ours */
  | 'internal';

export type AwsRefusalInput = {
  readonly kind: RefusalKind;
  readonly protocol: AwsProtocol;
  /** HEAD is answered by headers alone */
  readonly method: string;
  /** shown to the user by every SDK */
  readonly message: string;
  readonly requestId: string;
  readonly retryAfterMs?: number;
};

export type AwsRefusal = { readonly status: number; readonly headers: string[]; readonly body: Buffer };
export type AwsRefusalOf = (input: AwsRefusalInput) => AwsRefusal;
