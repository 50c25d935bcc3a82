import { AuditService } from '#gen/postern/v1/audit.ts';
import { AgentSessionService } from '#gen/postern/v1/session.ts';
import { ReverseTunnelService } from '#gen/postern/v1/tunnel.ts';

/**
 * The data path carries Buffers as they are: no protobuf, no copy. grpc-js frames them; the peer does the same.
 * The .proto says `Bytes` so that tools can read the contract.
 */
const same = (bytes: Buffer): Buffer => bytes;
const raw = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

export const AgentSession = { ...AgentSessionService, connect: { ...AgentSessionService.connect, ...raw } } as const;
export const ReverseTunnel = { ...ReverseTunnelService, carry: { ...ReverseTunnelService.carry, ...raw } } as const;

/** AppendEvents for who keeps events as auth is sent them: its request is a Buffer that is a protobuf AppendEventsRequest. */
export const appendStoredEvents = { ...AuditService.appendEvents, requestSerialize: same } as const;
