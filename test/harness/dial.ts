import { Client, credentials, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { AgentSession, CertsService, callUnary, LoginService, openDuplex, type SessionCert } from '@postern/api';
import { generateKey } from '@postern/pki';

/** What an attacker has: the cluster's public address, its Host CA, and whatever key and certificate he got hold of. */
export interface Held {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export function dial(proxy: string, serverName: string, hostCaPems: readonly string[], held?: Held): Client {
  const roots = Buffer.from(hostCaPems.join('\n'));
  const check = { checkServerIdentity: () => undefined };
  const secure =
    held === undefined
      ? credentials.createSsl(roots, null, null, check)
      : credentials.createSsl(roots, Buffer.from(held.privateKeyPem), Buffer.from(held.certificatePem), check);
  return new Client(proxy, secure, { 'grpc.ssl_target_name_override': serverName, 'grpc.enable_retries': 0 });
}

export async function signInRaw(
  proxy: string,
  hostCaPems: readonly string[],
  who: { readonly user: string; readonly password: string },
): Promise<Held> {
  const key = generateKey();
  const client = dial(proxy, 'auth.postern.internal', hostCaPems);
  try {
    const { certificatePem } = await callUnary(client, LoginService.signIn, {
      ...who,
      publicKey: key.publicKeyDer,
      ttlSeconds: 0,
      clientVersion: '0.1.0',
    });
    return { certificatePem, privateKeyPem: key.privateKeyPem };
  } finally {
    client.close();
  }
}

export interface HeldSession extends Held {
  readonly issued: SessionCert;
}

export type AskedSession = ({ readonly db: string } | { readonly app: string }) & {
  readonly principal: string;
  readonly ttlSeconds?: number;
};

export async function sessionRaw(proxy: string, hostCaPems: readonly string[], user: Held, asked: AskedSession): Promise<HeldSession> {
  const client = dial(proxy, 'auth.postern.internal', hostCaPems, user);
  try {
    return await issueSession(client, asked);
  } finally {
    client.close();
  }
}

/** Over a channel to auth that holds a user's certificate. */
export async function issueSession(client: Client, asked: AskedSession): Promise<HeldSession> {
  const key = generateKey();
  const issued = await callUnary(client, CertsService.issueSessionCert, {
    ...('db' in asked ? { resourceKind: 'db', resourceName: asked.db } : { resourceKind: 'app', resourceName: asked.app }),
    principal: asked.principal,
    publicKey: key.publicKeyDer,
    ttlSeconds: asked.ttlSeconds ?? 0,
  });
  return { certificatePem: issued.certificatePem, privateKeyPem: key.privateKeyPem, issued };
}

export const sessionName = (ticket: string) => `${ticket}.session.postern.internal`;

/** One HTTP request over a Connect stream; resolves with the first bytes of the answer, rejects as gRPC does. */
export function ask(client: Client, port: number, request = listTables(port)): Promise<string> {
  const metadata = new Metadata();
  metadata.set('postern-local-port', String(port));
  const stream: ClientDuplexStream<Buffer, Buffer> = openDuplex(client, AgentSession.connect, { metadata });
  return new Promise((resolve, reject) => {
    stream.once('data', (answer: Buffer) => {
      resolve(answer.toString('latin1'));
      stream.on('error', () => undefined);
      stream.cancel();
    });
    stream.once('error', reject);
    stream.once('end', () => reject(new Error('ended without an answer')));
    stream.write(Buffer.from(request));
  });
}

export function listTables(port: number): string {
  return [
    'POST / HTTP/1.1',
    `Host: localhost:${port}`,
    'Content-Type: application/x-amz-json-1.0',
    'X-Amz-Target: DynamoDB_20120810.ListTables',
    'Content-Length: 2',
    '',
    '{}',
  ].join('\r\n');
}
