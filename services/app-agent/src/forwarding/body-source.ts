import type { RefusalKind } from '@postern/aws';

/** Where the bytes of a request's body go: to AWS. */
export interface BodyTarget {
  /** False: wait for `drained`. */
  write(bytes: Buffer): boolean;
  /** The body is complete. */
  end(): void;
  /** The body will not be complete: what has left is cut before its last byte. */
  fail(fault: BodyFault): void;
}

/** Where they come from. Bytes are only asked for while AWS takes them. */
export interface BodySource {
  /** Once, when AWS is ready for the first byte. */
  start(target: BodyTarget): void;
  drained(): void;
  /** Nobody wants the rest. May be called at any time, and more than once. */
  stop(): void;
}

/** Why a body is not sent to its end. The reason is shown to the client. */
export interface BodyFault {
  readonly kind: RefusalKind;
  readonly reason: string;
}
