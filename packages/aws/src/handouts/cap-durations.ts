import type { CredentialOperation } from '#handouts/credential-operation.ts';
import type { AwsProtocol } from '#requests/aws-request.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type CapInput = {
  readonly operation: CredentialOperation;
  readonly protocol: AwsProtocol;
  /** raw, without the question mark */
  readonly query: string;
  /** whole */
  readonly body: Buffer;
  /** of the user's certificate */
  readonly remainingSeconds: number;
};

/** What goes to AWS instead of what came: written anew, so that AWS cannot read it otherwise than it was read here. */
export type CappedRequest = {
  readonly query: string;
  readonly body: Buffer;
  /** at most so long the keys live */
  readonly lifeSeconds: number;
};
/** `cap` of a role's aws_credential_operations. */
export type CapDurations = (input: CapInput) => CappedRequest | Refusal;
/** Access key ids in an answer of AWS, for the audit; never a secret. */
export type HandedOutKeys = (input: { operation: CredentialOperation; protocol: AwsProtocol; body: Buffer }) => readonly string[];
