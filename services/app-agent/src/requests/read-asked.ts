import {
  type AwsRequest,
  bodyWanted,
  describeRequest,
  innerPresignedUrl,
  isUnsignedOperation,
  protocolOf,
  type RequestHead,
} from '@postern/aws';
import type { HeldBody } from '#bodies/held-body.ts';
import { askedDirectly } from '#requests/read-seed.ts';
import { badRequest, type Refusal } from '#requests/refusals.ts';

/** What is asked, as far as the head tells: of a form the protocol alone. */
export function readAskedFromHead(head: RequestHead): AwsRequest | Refusal {
  if (bodyWanted(head) > 0) return { protocol: protocolOf(head) };
  const described = describeRequest(head);
  return 'refusal' in described ? badRequest(described.refusal) : described;
}

/** The same of a form, once its body is there. */
export async function readAsked(head: RequestHead, body: HeldBody): Promise<AwsRequest | Refusal> {
  const bytes = await beginning(body, bodyWanted(head));
  const described = describeRequest(head, { bytes, whole: bytes.length === body.length });
  if ('refusal' in described) return badRequest(described.refusal);
  const { service, query } = head;
  const inner = innerPresignedUrl({ service, query, operation: described.operation, body: bytes });
  if (inner !== undefined) return badRequest(inner.refusal);
  // Its proof is in the request itself, and it would be sent under a signature that it has not.
  if (isUnsignedOperation(service, described.operation))
    return badRequest(`${service}:${described.operation} takes no signature of a role: it is ${askedDirectly}`);
  return described;
}

export async function beginning({ content, length }: HeldBody, wanted: number): Promise<Buffer> {
  if (Buffer.isBuffer(content)) return content.subarray(0, wanted);
  const bytes = Buffer.alloc(Math.min(wanted, length));
  await content.read(bytes, 0, bytes.length, 0);
  return bytes;
}
