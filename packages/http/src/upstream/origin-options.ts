import type { HeadLimits } from '#grammar/parse-head.ts';
import type { Resolve } from '#upstream/dial-address.ts';

export interface OriginLimits {
  readonly connections: number;
  /** For a connection to be made, or for one of those there are to become free. */
  readonly connectMs: number;
  /** From the last byte of the request to the last of the answer's head. */
  readonly headersMs: number;
  /** Between two pieces of an answer or of a streamed request, unless it is held back from here. */
  readonly idleMs: number;
  /** An unused connection is closed after so long; less than the server keeps it. */
  readonly keepAliveMs: number;
  readonly head: HeadLimits;
}

/** What is dialled, by our own choice: nothing here is ever taken from a client. */
export interface OriginOptions {
  /** A name or an address without brackets. With TLS the certificate must carry it. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Refuse addresses of this machine and of its link; see mayBeDialled. */
  readonly isGuarded: boolean;
  readonly resolve?: Resolve;
  /** Trusted instead of the system's, for servers with a certificate of their own. */
  readonly ca?: string;
  readonly limits: OriginLimits;
}
