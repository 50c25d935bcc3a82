import type { KnownCredentials } from '#credential-book.ts';
import type { Conversation } from '#exchange/conversation.ts';
import type { BodyRead, BodySink } from '#exchange/read-body.ts';
import type { RequestHead } from '#exchange/request-head.ts';
import type { AwsHost } from '#hosts/aws-host.ts';
import type { Identity, Mode } from '#options.ts';
import type { Answer } from '#protocols/aws-error.ts';
import type { Protocol } from '#protocols/error-answer.ts';
import type { Claim } from '#sigv4/claim.ts';
import type { PayloadMode } from '#sigv4/payload-mode.ts';

/** A request whose head is verified; its body is still on the wire. */
export interface HeadCall {
  readonly head: RequestHead;
  readonly host: AwsHost;
  /** Undefined where the operation may be called by anybody and was not signed. */
  readonly caller: KnownCredentials | undefined;
  readonly claim: Claim | undefined;
  readonly payload: PayloadMode;
  readonly region: string;
  readonly requestId: string;
  readonly nowMs: number;
  readonly mode: Mode | undefined;
  /** It came over TLS. */
  readonly secure: boolean;
  readonly isHttp2: boolean;
}

/** A request verified to its last byte. */
export interface Call extends HeadCall {
  readonly operation: string;
  /** Empty where the service took it elsewhere. */
  readonly body: Buffer;
  readonly read: BodyRead;
}

/** A body that a service takes itself: what it was written to, and the checksums to be made meanwhile. */
export interface Intake {
  readonly sink: BodySink;
  readonly checksums?: ReadonlyMap<string, { update(data: Buffer): void; digest(): Buffer }>;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
  /** After a refusal or a client that left. */
  readonly abandon: () => void;
}

export interface Service {
  readonly protocol: (head: RequestHead) => Protocol;
  /** What the request claims to be; with an empty body where that has not come yet. */
  readonly operationOf: (head: RequestHead, host: AwsHost, body: Buffer) => string;
  /** Operations that need no signature. */
  readonly anonymous?: (operation: string) => boolean;
  readonly maxBodyBytes?: number;
  /** Refuses and faults before the body is read, and holds 100 Continue back until then, as S3 does. */
  readonly early?: true;
  /** Undefined where the body is small and `answer` takes it. May refuse before the body is read. */
  readonly intake?: (call: HeadCall) => Intake | undefined;
  /** Undefined where the operation is none that answers while it is told. */
  readonly converse?: (call: HeadCall) => Conversation | undefined;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
  /** What the raw log may show of the request besides its head. */
  readonly logged?: (call: Call) => Logged;
  /** The path for the raw log, where the wire's holds secrets. */
  readonly shownTarget?: (head: RequestHead) => string;
  /** Compressed where asked for, with x-amz-crc32. */
  readonly dynamodb?: true;
}

export interface Logged {
  readonly parameters?: Readonly<Record<string, string>>;
  /** Where it is not the signer. */
  readonly identity?: Identity;
}
