import type { Credentials } from '#credentials/credentials.ts';
import type { HttpSend } from '#credentials/http-send.ts';
import type { AwsEnv } from '#credentials/aws-env.ts';
import type { PartitionId } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type ConsoleDestinationInput = {
  /** the application's own address */
  readonly uri: string;
  /** a page that the user asks for; absent or empty: the application's own address */
  readonly destination?: string;
  readonly partition: PartitionId;
};
/** The page, written anew, or why it is none of this partition's console. */
export type ConsoleDestination = (input: ConsoleDestinationInput) => { readonly url: string } | Refusal;

export type ConsoleSessionInput = {
  /** of the agent: AWS lets a session that was assumed with temporary keys live an hour at most */
  readonly agentCredentialsAreTemporary: boolean;
  /** of the user's certificate */
  readonly remainingSeconds: number;
};
export type ConsoleSession = {
  /** for sts:AssumeRole */
  readonly assumeRoleSeconds: number;
  /** for getSigninToken; absent where AWS forbids to ask */
  readonly sessionSeconds?: number;
};
export type ConsoleSessionOf = (input: ConsoleSessionInput) => ConsoleSession | Refusal;

export type SigninTokenInput = {
  readonly partition: PartitionId;
  /** of the role, with a session token */
  readonly credentials: Credentials;
  readonly session: ConsoleSession;
  readonly env: AwsEnv;
  readonly send: HttpSend;
};
/** Rejects with CredentialError, in which nothing of the address stands. */
export type GetSigninToken = (input: SigninTokenInput) => Promise<{ readonly token: string; readonly sessionSeconds: number }>;

export type SignInUrlInput = {
  readonly partition: PartitionId;
  readonly token: string;
  readonly destination: string;
  readonly issuer: string;
};
export type SignInUrl = (input: SignInUrlInput) => string;
