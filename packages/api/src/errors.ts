/**
 * Every error that one part may tell another or a person is one of these codes. Adding one breaks the build
 * until each edge below maps it, and the tests until docs/errors.md explains it.
 */
export const errorCodes = [
  'bad_request',
  'unauthenticated',
  'expired',
  'denied',
  'locked',
  'not_found',
  'already_exists',
  'conflict',
  'limit_exceeded',
  'unimplemented',
  'unavailable',
  'cannot_connect',
  'internal',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/**
 * `message` may be shown to whoever asked: lower case, no full stop, names the thing, never a secret.
 * `cause` is for the log of the part that threw and is never sent.
 */
export class PosternError extends Error {
  override readonly name = 'PosternError';
  readonly code: ErrorCode;
  /** True where whoever threw has written its line in the audit log, so that nobody above writes another. */
  readonly isRecorded: boolean;
  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown; readonly isRecorded?: boolean }) {
    super(message, options);
    this.code = code;
    this.isRecorded = options?.isRecorded ?? false;
  }
}

/** gRPC status numbers: https://grpc.io/docs/guides/status-codes/ */
export const grpcStatusOf: Record<ErrorCode, number> = {
  bad_request: 3,
  unauthenticated: 16,
  expired: 16,
  denied: 7,
  locked: 7,
  not_found: 5,
  already_exists: 6,
  conflict: 10,
  limit_exceeded: 8,
  unimplemented: 12,
  unavailable: 14,
  cannot_connect: 14,
  internal: 13,
};

/** Exit codes of tsh, tctl and teleport; 2 is a usage error, found before anything is asked of the cluster. */
export const exitCodeOf: Record<ErrorCode, number> = {
  bad_request: 1,
  unauthenticated: 3,
  expired: 3,
  denied: 4,
  locked: 4,
  not_found: 5,
  already_exists: 1,
  conflict: 1,
  limit_exceeded: 1,
  unimplemented: 1,
  unavailable: 6,
  cannot_connect: 6,
  internal: 1,
};
