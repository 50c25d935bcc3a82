/**
 * One set of AWS keys. Immutable: derived signing keys hang on the identity of this object (and die with it), so pass it on as it is and
 * never spread it into another one.
 */
export type Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiresAtMs?: number;
  readonly accountId?: string;
};
