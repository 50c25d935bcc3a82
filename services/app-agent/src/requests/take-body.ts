import type { BodyBudget, Exchange } from '@postern/http';
import type { HeldBody } from '#bodies/held-body.ts';
import { holdBody } from '#bodies/hold-body.ts';
import { AsItIs, HashedWhole } from '#bodies/transforms.ts';
import { limits } from '@postern/limits';
import { type BodyTransform } from '#forwarding/client-source.ts';
import { badRequest, holdRefusal, type Refusal } from '#requests/refusals.ts';

/** A body that is at hand, or one that is taken as it comes. */
export type TakenBody =
  | { readonly kind: 'held'; readonly body: HeldBody }
  | { readonly kind: 'streamed'; readonly payload: string; readonly transform: BodyTransform };

export interface BodyRoom {
  readonly memory: BodyBudget;
  readonly files: BodyBudget;
  readonly dir: string;
  /** For tests. */
  readonly maxBytes?: number;
  readonly maxMemoryBytes?: number;
}

export interface TakeBodyInput {
  readonly exchange: Exchange;
  /** See Seed. */
  readonly payload: string | undefined;
  /** Something in it has to be read here. */
  readonly isRead: boolean;
  readonly owner: string;
  readonly room: BodyRoom;
}

const HEX = /^[0-9a-f]{64}$/;
/** Below this a body whose hash is named is judged before anything leaves, and leaves in one write with its head. */
const SMALL_BYTES = 64 * 1024;

/** A body that can be sent as it comes is; only one that must be known first is held. */
export async function takeBody({ exchange, payload, isRead, owner, room }: TakeBodyInput): Promise<TakenBody | Refusal> {
  const { length } = exchange.head;
  const isSmall = length >= 0 && length <= SMALL_BYTES;
  if (payload === undefined || HEX.test(payload)) {
    if (payload !== undefined && !isRead && !isSmall) return { kind: 'streamed', payload, transform: new HashedWhole(payload) };
    return hold(exchange, owner, room);
  }
  if (payload === 'UNSIGNED-PAYLOAD' && isRead) return hold(exchange, owner, room);
  if (payload === 'UNSIGNED-PAYLOAD' || payload === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    if (isRead) return badRequest('a request that is read by the agent cannot be sent in chunks with a trailer');
    return { kind: 'streamed', payload, transform: new AsItIs() };
  }
  return badRequest(`x-amz-content-sha256: ${JSON.stringify(payload.slice(0, 100))} is not a way of signing a body that is known here`);
}

async function hold(exchange: Exchange, owner: string, room: BodyRoom): Promise<TakenBody | Refusal> {
  exchange.sayContinue();
  const held = await holdBody(exchange, {
    owner,
    memory: room.memory,
    files: room.files,
    dir: room.dir,
    maxBytes: room.maxBytes ?? limits.appHeldBytes,
    maxMemoryBytes: room.maxMemoryBytes ?? limits.appHeldInMemoryBytes,
  });
  return 'failed' in held ? holdRefusal(held.failed) : { kind: 'held', body: held };
}
