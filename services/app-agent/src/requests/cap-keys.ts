import { hash } from 'node:crypto';
import { capDurations, capsBody, type CredentialOperation } from '@postern/aws';
import type { HeldBody } from '#bodies/held-body.ts';
import { beginning } from '#requests/read-asked.ts';
import type { SignedHead } from '#requests/read-seed.ts';
import { limits } from '@postern/limits';

export interface CapKeysInput {
  readonly operation: CredentialOperation;
  readonly signed: SignedHead;
  readonly body: HeldBody | undefined;
  readonly remainingSeconds: number;
}

/** What goes to AWS instead: keys that outlive the certificate are not asked for. */
export interface CappedKeys {
  readonly signed: SignedHead;
  /** Undefined: the body stays what it is. */
  readonly body: HeldBody | undefined;
  readonly lifeSeconds: number;
}

/** Lines that are about the body as it was, and those that let AWS write an answer in which key ids are to be read in a way of its own. */
const NOT_KEPT = new Set(['x-amz-content-sha256', 'content-length', 'content-md5', 'accept', 'accept-encoding']);

/** `cap` of a role's aws_credential_operations. */
export async function capKeys({
  operation,
  signed,
  body,
  remainingSeconds,
}: CapKeysInput): Promise<CappedKeys | { readonly refusal: string }> {
  const readsBody = body !== undefined && capsBody(operation);
  if (readsBody && body.length > limits.awsFormBytes)
    return { refusal: `${operation.service}:${operation.operation}: the request is over ${limits.awsFormBytes} bytes` };
  const bytes = readsBody ? await beginning(body, body.length) : Buffer.alloc(0);
  const capped = capDurations({ operation, query: signed.query, body: bytes, remainingSeconds });
  if ('refusal' in capped) return capped;
  const headers: string[] = [];
  for (let at = 0; at + 1 < signed.headers.length; at += 2) {
    const name = signed.headers[at] ?? '';
    if (!NOT_KEPT.has(name.toLowerCase())) headers.push(name, signed.headers[at + 1] ?? '');
  }
  return {
    signed: { ...signed, query: capped.query, headers },
    body: readsBody ? heldBytes(capped.body) : body,
    lifeSeconds: capped.lifeSeconds,
  };
}

function heldBytes(content: Buffer): HeldBody {
  return { sha256: hash('sha256', content, 'hex'), length: content.length, content, release: () => undefined };
}
