import { type BodyPlan, type PartialRoom, planBody, type SigningKeys } from '@postern/aws';
import type { BodyBudget, Exchange } from '@postern/http';
import { limits } from '@postern/limits';
import type { HeldBody } from '#bodies/held-body.ts';
import { holdBody } from '#bodies/hold-body.ts';
import { Pace } from '#bodies/pace.ts';
import { partialRoom } from '#bodies/partial-room.ts';
import { refusedSignature, type Seed } from '#requests/read-seed.ts';
import { badRequest, holdRefusal, type Refusal } from '#requests/refusals.ts';

/** A body that is at hand, or one that is taken as it comes. */
export type TakenBody =
  | { readonly kind: 'held'; readonly body: HeldBody }
  | { readonly kind: 'streamed'; readonly plan: BodyPlan; readonly room: PartialRoom; readonly pace: Pace };

export interface BodyRoom {
  readonly memory: BodyBudget;
  readonly files: BodyBudget;
  readonly small: BodyBudget;
  readonly dir: string;
  readonly monotonicMs: () => number;
  /** For tests. */
  readonly maxBytes?: number;
  readonly maxMemoryBytes?: number;
}

export interface TakeBodyInput {
  readonly exchange: Exchange;
  readonly seed: Seed;
  readonly keys: SigningKeys;
  /** Something in it has to be read here. */
  readonly isRead: boolean;
  readonly owner: string;
  readonly room: BodyRoom;
  readonly nowMs: () => number;
}

/** Below this a body whose hash is named is judged before anything leaves, and leaves in one write with its head. */
const SMALL_BYTES = 64 * 1024;

/** A body that can be sent as it comes is; only one that must be known first is held. */
export async function takeBody(input: TakeBodyInput): Promise<TakenBody | Refusal> {
  const { exchange, seed, isRead, keys, owner, room, nowMs } = input;
  if ('awaitsBody' in seed) return hold(input);
  const { length } = exchange.head;
  const isPlain = seed.payload.kind === 'hash' || seed.payload.kind === 'unsigned';
  if (isPlain && (isRead || length === 0)) return hold(input);
  if (seed.payload.kind === 'hash' && length > 0 && length <= SMALL_BYTES) return hold(input);
  if (isRead) return badRequest('this operation has to be read by the agent, which takes it whole and not in chunks of its own signature');
  const plan = planBody({ verified: seed, headers: exchange.head.fields, keys, now: nowMs });
  if ('refusal' in plan) return refusedSignature(plan);
  return { kind: 'streamed', plan, room: partialRoom(owner, room), pace: new Pace(room.monotonicMs, Number.POSITIVE_INFINITY) };
}

async function hold({ exchange, owner, room }: TakeBodyInput): Promise<TakenBody | Refusal> {
  exchange.sayContinue();
  const held = await holdBody(exchange, {
    owner,
    memory: room.memory,
    files: room.files,
    small: room.small,
    dir: room.dir,
    monotonicMs: room.monotonicMs,
    maxBytes: room.maxBytes ?? limits.appHeldBytes,
    maxMemoryBytes: room.maxMemoryBytes ?? limits.appHeldInMemoryBytes,
  });
  return 'failed' in held ? holdRefusal(held.failed) : { kind: 'held', body: held };
}
