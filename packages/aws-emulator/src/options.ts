/** How an emulator is started. Times are milliseconds since 1970 where not said otherwise. */
export interface EmulatorOptions {
  readonly host?: string;
  readonly port?: number;
  /** PEM; with both the emulator speaks HTTPS. */
  readonly key?: string | Buffer;
  readonly cert?: string | Buffer;
  /** A second listener over TLS, on the same host, for the same emulation. */
  readonly alsoTls?: { readonly port?: number; readonly key: string | Buffer; readonly cert: string | Buffer };
  readonly accountId: string;
  /** IAM roles that can be assumed. */
  readonly roles?: readonly EmulatedRole[];
  /** Long-term keys of IAM users, which the agents' ambient credentials are. */
  readonly accessKeys: readonly AccessKey[];
  /** Gets one entry for every request, as JSON lines in a file or as values. */
  readonly rawLog?: string | ((entry: RawLogEntry) => void);
  readonly nowMs?: () => number;
  /**
   * 'aws': the Host header must be the AWS host of the service and region that the request is signed for, as an agent sends
   * it. 'any': also the address of the emulator itself, for clients that are pointed at it with an endpoint URL.
   */
  readonly hosts?: 'aws' | 'any';
  readonly modes?: Readonly<Record<string, Mode>>;
}

export interface EmulatedRole {
  /** One of both: a name (with path, `role/` left out) in the emulator's account, or a whole ARN. */
  readonly name?: string;
  readonly arn?: string;
  /** What the role's trust policy allows besides sts:AssumeRole; nothing where it is not said. */
  readonly trusts?: {
    /** sts:TagSession */
    readonly tags?: boolean;
    /** sts:SetSourceIdentity */
    readonly sourceIdentity?: boolean;
    /** The condition sts:ExternalId. */
    readonly externalId?: string;
    /** ARNs of who may assume it; everyone with a key or a session of this emulator where absent. */
    readonly principals?: readonly string[];
  };
  readonly maxSessionDurationSeconds?: number;
}

export interface SeedTable {
  readonly name: string;
  readonly hashKey?: string;
  readonly items?: readonly Readonly<Record<string, unknown>>[];
  readonly streamViewType?: 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';
}

export interface SeedObject {
  readonly bucket: string;
  /** Nothing but the bucket is made where absent. */
  readonly key?: string;
  readonly body?: string;
  /** In the place of a body: so many bytes, made as they are read; byte number i is i modulo 251. */
  readonly generatedBytes?: number;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** The IAM user it belongs to; "agent" where absent. */
  readonly userName?: string;
}

/** A fault, for one operation ("GetItem", "AssumeRole") or for all ("*"). */
export interface Mode {
  /** Answer with this status and AWS's error shape instead of doing it. */
  readonly status?: number;
  /** The error's code where `status` is given; InternalServerError, ThrottlingException or ServiceUnavailable by status otherwise. */
  readonly code?: string;
  /** Do it, and wait so long before the answer. */
  readonly delayMs?: number;
  /** Do it, send so many bytes of the answer's body, and reset the connection; 0 sends nothing at all. */
  readonly resetAfterBytes?: number;
  /** Do it, send so many bytes of the answer's body, and nothing more, with the connection open. */
  readonly stallAfterBytes?: number;
  /** Do it, and say a Content-Length that is so much larger (the connection then ends) or smaller than the body. */
  readonly lengthOff?: number;
  /** Answer with a redirect to this URL instead of doing it. */
  readonly redirectTo?: string;
  /** 307 where absent. */
  readonly redirectStatus?: 301 | 307;
  /** Say Retry-After with whatever is answered. */
  readonly retryAfterSeconds?: number;
  /** Take the request, keep the connection open, and never answer. */
  readonly hangs?: boolean;
  /** Say 100 Continue so many times; once where absent. */
  readonly continues?: number;
  /** Wait so long before each message of a streamed answer; 50 where absent. */
  readonly messageDelayMs?: number;
  /** Hash and count what S3 is given and keep nothing of it. */
  readonly discard?: boolean;
  /** The fault goes away so long after the first request that met it. */
  readonly forMs?: number;
  /** What AssumeRole gives out. */
  readonly creds?: 'expired' | 'malformed' | 'one-second' | 'other-account';
  /** The fault goes away after so many requests. */
  readonly times?: number;
}

/** Who a verified request came from, as CloudTrail would name it. */
export interface Identity {
  readonly accessKeyId: string;
  readonly accountId: string;
  /** arn:aws:iam::…:user/NAME or arn:aws:sts::…:assumed-role/ROLE/SESSION */
  readonly arn: string;
  readonly userId: string;
  readonly roleArn?: string;
  readonly sessionName?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity?: string;
  /** ARNs of the sessions and users it was assumed from, nearest first. */
  readonly chain: readonly string[];
}

/** One request as it came, written before it is carried out. */
export interface RawLogEntry {
  readonly time: string;
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  /** Path and query byte for byte, but for the secrets of a console sign-in. */
  readonly path: string;
  /** In the order and case in which they came. */
  readonly headers: readonly (readonly [string, string])[];
  /** Of the body itself, without the frames of aws-chunked. */
  readonly bodySha256: string;
  readonly bodyBytes: number;
  /** As they came, frames and trailer included. */
  readonly wireBytes: number;
  /** "absent", "hash", or the value of x-amz-content-sha256 that is not a hash. */
  readonly payload?: string;
  readonly service?: string;
  readonly region?: string;
  /** "GetItem", "AssumeRole"; what the request claims to be, also where it was refused. */
  readonly operation?: string;
  /** The signature was right, and everything around it. */
  readonly verified: boolean;
  /** The error code of the answer where the request was refused before it was carried out. */
  readonly refusal?: string;
  readonly identity?: Identity;
  /** Of a request in the query protocol, and of a console sign-in without its secrets. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** The fault it met. */
  readonly mode?: Mode;
}
