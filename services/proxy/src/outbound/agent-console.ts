import { AgentSession, Identity_Kind, PosternError } from '@postern/api';
import { clientContextOptions, serverIdentityCheck } from '@postern/pki';
import { callUnaryOver, RawConnection } from '@postern/tunnel';
import type { LaunchDeps } from '#browser/launch-console.ts';
import { openSession, type SessionRouting } from '#routing/open-session.ts';

/** An agent assumes a role at AWS and asks the console's sign-in for a token. */
const DEADLINE_MS = 30_000;

export interface AgentConsoleOptions {
  readonly routing: SessionRouting;
  readonly cluster: string;
  readonly nowMs: () => number;
}

/** Asks an agent for the address that signs in to the console, over mutual TLS that ends there: as tsh does, with this proxy at both ends of the splice. */
export function agentConsole({ routing, cluster, nowMs }: AgentConsoleOptions): LaunchDeps['signInToConsole'] {
  return async ({ grant, destination, issuer, clientAddress }) => {
    const { ticket, hostCaPems, certificatePem, privateKeyPem, agentIds } = grant;
    const connection = new RawConnection({
      address: 'the agent',
      serverName: `${ticket}.session.postern.internal`,
      context: clientContextOptions(hostCaPems, { certificatePem, privateKeyPem }),
      checkServer: serverIdentityCheck({ cluster, hostCaPems, kinds: [Identity_Kind.APP_AGENT], names: agentIds, nowMs }),
      dial: async (signal) => (await openSession(routing, { ticket, clientAddress, head: Buffer.alloc(0), signal })).stream,
    });
    try {
      await connection.ready.catch((cause: unknown) => {
        throw new PosternError('unavailable', 'no agent of this application answers now: try again, or ask who runs it', { cause });
      });
      const request = { destination, issuer };
      return (await callUnaryOver(connection, AgentSession.signInToConsole, request, { deadlineMs: DEADLINE_MS })).url;
    } finally {
      connection.end();
    }
  };
}
