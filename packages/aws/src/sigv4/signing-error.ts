/** A request that must not be signed: nothing of it has left, and nothing may. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
  readonly code: 'duplicate_header' | 'payload_mismatch' | 'bad_header' | 'wrong_day' | 'expired';
  constructor(code: SigningError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
