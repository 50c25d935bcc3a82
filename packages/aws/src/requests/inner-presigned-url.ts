import type { Refusal } from '#refusals/refusal.ts';
import type { RequestHead } from '#requests/aws-request.ts';
import { parseForm } from '#requests/form.ts';
import { serviceTable } from '#requests/service-table.ts';

export type InnerInput = Pick<RequestHead, 'service' | 'query'> & { readonly operation: string | undefined; readonly body: Buffer };

/**
 * Ten operations that copy between regions carry a request to the other region within, which the SDK has signed with the throw-away key: AWS
 * would refuse it in words of its own, after the copy seemed to begin. Undefined where there is none.
 */
export function innerPresignedUrl({ service, operation, query, body }: InnerInput): Refusal | undefined {
  if (operation === undefined) return undefined;
  const known = serviceTable().presigned.find((one) => one.service === service && one.operation.toLowerCase() === operation.toLowerCase());
  if (known === undefined) return undefined;
  const pairs = [query, body.toString('latin1')].map(parseForm);
  const carries = pairs.some((found) => found?.some(({ name }) => name.toLowerCase() === known.member.toLowerCase()) ?? true);
  if (!carries) return undefined;
  return {
    refusal:
      `${service}:${known.operation} carries a ${known.member} that the SDK has signed with the local key, which AWS does not know: ` +
      'copy between regions in the console (tsh apps console), or ask without a source region',
  };
}

/** Operations that take no signature: do not ask for one and do not sign; whether they may be asked for at all is policy. */
export function isUnsignedOperation(service: string, operation: string | undefined): boolean {
  return operation !== undefined && serviceTable().unsigned.some((one) => one.service === service && one.operation === operation);
}
