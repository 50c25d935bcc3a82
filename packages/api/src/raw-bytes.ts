import { AuditService } from '#gen/postern/v1/audit.ts';
import { AgentSessionService } from '#gen/postern/v1/session.ts';
import { ReverseTunnelService } from '#gen/postern/v1/tunnel.ts';

/**
 * The data path carries Buffers as they are: no protobuf, no copy. @postern/tunnel serves and opens these methods on
 * HTTP/2 itself; with these definitions any gRPC library speaks them too. The .proto says `Bytes` so that tools can
 * read the contract.
 */
const same = (bytes: Buffer): Buffer => bytes;
const raw = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
  rawBytes: true as const,
};

export const AgentSession = { ...AgentSessionService, connect: { ...AgentSessionService.connect, ...raw } } as const;
/** Attach has frames, which its two ends read and write themselves: a proxy holds thousands of these calls. */
export const ReverseTunnel = {
  ...ReverseTunnelService,
  attach: { ...ReverseTunnelService.attach, rawBytes: true as const },
  carry: { ...ReverseTunnelService.carry, ...raw },
} as const;

/** AppendEvents for who keeps events as auth is sent them: its request is a Buffer that is a protobuf AppendEventsRequest. */
export const appendStoredEvents = { ...AuditService.appendEvents, requestSerialize: same } as const;
