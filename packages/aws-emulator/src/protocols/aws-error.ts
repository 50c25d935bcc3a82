/** Code and status, where S3 has its own for what other services say otherwise. */
export type S3Code = readonly [string, number];

/** A refusal in the words of AWS; each protocol puts it into its own shape. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status: number;
  readonly s3: S3Code | undefined;
  /** More elements of an S3 error: `Region`, `Endpoint`, `Bucket`. */
  readonly details: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: string, message: string, status = 400, more: AwsErrorMore = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.s3 = more.s3;
    this.details = more.details ?? {};
    this.headers = more.headers ?? {};
  }
}

export interface AwsErrorMore {
  readonly s3?: S3Code;
  readonly details?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Held, or made while it is sent; then `content-length` stands among the headers, or it is sent in chunks. */
  readonly body: Buffer | AsyncIterable<Buffer>;
}

export interface HeldAnswer extends Answer {
  readonly body: Buffer;
}
