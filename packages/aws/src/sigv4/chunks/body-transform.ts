import type { SignatureRefusal } from '#sigv4/signature-refusal.ts';

/**
 * Takes a body as the client sends it and gives what AWS is to get. Synchronous, and in constant memory: what is given is bytes of the wire,
 * which are the receiver's and may be kept. The last bytes are given only when the whole body has been verified, so that after a refusal
 * the request to AWS is incomplete and, once aborted, nothing of it is carried out.
 */
export interface BodyTransform {
  /** The next bytes, in any cut; they may be kept. After a refusal nothing more is given, and the request to AWS is to be aborted. */
  write(piece: Buffer): SignatureRefusal | undefined;
  /** The body is complete. Undefined: it is verified, and everything has been given. */
  end(): SignatureRefusal | undefined;
  /** Content without framing, so far. */
  readonly contentBytes: number;
  /** Nothing is held for more to come, as between two messages. Absent: nothing ever is that counts. */
  readonly isBetween?: boolean;
  /** Nothing more will come: what is held is given back. May be called at any time, and more than once. */
  stop?(): void;
}

/** Where memory comes from for what cannot go on before more of it has come: many streams may each hold some. */
export interface PartialRoom {
  take(bytes: number): boolean;
  give(bytes: number): void;
  /** What is said where there is none left. */
  readonly full: string;
}
