import { PosternError } from '@postern/api/errors';

/** Why a certificate, a key or a request for one was refused. For logs, audit and tests; the message is for people. */
export type PkiReason =
  | 'malformed'
  | 'no_identity'
  | 'not_trusted'
  | 'is_ca'
  | 'wrong_usage'
  | 'wrong_cluster'
  | 'wrong_kind'
  | 'wrong_name'
  | 'expired'
  | 'not_yet_valid'
  | 'bad_key'
  | 'bad_request';

export class PkiError extends PosternError {
  readonly reason: PkiReason;
  constructor(reason: PkiReason, message: string, options?: { readonly cause?: unknown }) {
    super(codeOf(reason), message, options);
    this.reason = reason;
  }
}

function codeOf(reason: PkiReason): 'expired' | 'bad_request' | 'unauthenticated' {
  if (reason === 'expired') return 'expired';
  return reason === 'bad_key' || reason === 'bad_request' ? 'bad_request' : 'unauthenticated';
}
