import { PosternError } from '@postern/api';
import { isSignInUrl } from '@postern/aws';
import { generateKey } from '@postern/pki';
import type { WebSession } from '#browser/web-sessions.ts';

/** What auth issues for one application under one role. */
export interface AppGrant {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly ticket: string;
  readonly agentIds: readonly string[];
  readonly hostCaPems: readonly string[];
}

export interface Launch {
  readonly session: WebSession;
  readonly app: string;
  /** An ARN, or a name that auth resolves. */
  readonly role: string;
  /** A page of the console; empty: the application's own. */
  readonly destination: string;
  /** Where the console sends the person when its session ends. */
  readonly issuer: string;
  /** host:port of the browser. */
  readonly clientAddress: string;
}

export interface LaunchDeps {
  readonly grant: (asked: {
    readonly session: WebSession;
    readonly app: string;
    readonly role: string;
    readonly publicKey: Buffer;
    readonly clientAddress: string;
  }) => Promise<Omit<AppGrant, 'privateKeyPem'>>;
  readonly signInToConsole: (asked: {
    readonly grant: AppGrant;
    readonly destination: string;
    readonly issuer: string;
    readonly clientAddress: string;
  }) => Promise<string>;
}

/**
 * The address that signs the browser in to the console: auth decides for the role, an agent signs in under it. The key is of this launch
 * alone, and the address is told to nobody but the browser that asked.
 */
export async function launchConsole(deps: LaunchDeps, launch: Launch): Promise<string> {
  const { session, app, role, destination, issuer, clientAddress } = launch;
  const key = generateKey();
  const issued = await deps.grant({ session, app, role, publicKey: key.publicKeyDer, clientAddress });
  const grant = { ...issued, privateKeyPem: key.privateKeyPem };
  const address = await deps.signInToConsole({ grant, destination, issuer, clientAddress });
  // A stolen agent sends nobody to a page of its own.
  if (!isSignInUrl(address)) throw new PosternError('internal', `the agent of app/${app} answered with no address of AWS's sign-in`);
  return address;
}
