import type { Mode } from '#options.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

/** What is answered instead of carrying the request out; undefined where the fault, if any, is one of the way back. */
export function faultOf(mode: Mode | undefined): AwsError | Answer | undefined {
  if (mode?.redirectTo !== undefined)
    return { status: mode.redirectStatus ?? 307, headers: { location: mode.redirectTo }, body: Buffer.alloc(0) };
  if (mode?.status === undefined) return undefined;
  const code =
    mode.code ?? (mode.status === 503 ? 'ServiceUnavailable' : mode.status >= 500 ? 'InternalServerError' : 'ThrottlingException');
  return new AwsError(code, `answered with ${mode.status} because the emulator was told to`, mode.status);
}
