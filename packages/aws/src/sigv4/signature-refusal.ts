import type { RefusalKind } from '#refusals/refusal-codes.ts';
import type { Refusal } from '#refusals/refusal.ts';

/** Why a signature or what it covers is not accepted. The words may be shown: no secret and no expected signature is in them. */
export type SignatureRefusal = Refusal & {
  readonly kind: Extract<
    RefusalKind,
    'missing_key' | 'unknown_key' | 'bad_signature' | 'skewed' | 'expired' | 'denied' | 'bad_request' | 'too_large' | 'unavailable'
  >;
};

export function refuse(kind: SignatureRefusal['kind'], refusal: string): SignatureRefusal {
  return { refusal, kind };
}

export function wrongBody(): SignatureRefusal {
  return refuse('bad_signature', 'the body does not match its x-amz-content-sha256');
}
