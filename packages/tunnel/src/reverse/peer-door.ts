import type { Duplex } from 'node:stream';
import { type CallContext, PosternError } from '@postern/api';
import { byteStream } from '#byte-stream.ts';
import { joinStreams } from '#join-streams.ts';
import type { TunnelLimits } from '#limits.ts';
import { type CarryCall, endCall } from '#reverse/attached-agent.ts';
import { readDial, writeAnswer } from '#reverse/dial-frame.ts';
import { firstMessage } from '#raw-call/raw-call.ts';
import type { DialOptions } from '#reverse/tunnel-server.ts';

/** Metadata of a Carry that another proxy opens: which agent it is for. */
export const AGENT_ID_KEY = 'postern-agent-id';

export interface PeerDoorOptions {
  /** The id of the proxy that serves here. */
  readonly proxyId: string;
  readonly limits: TunnelLimits;
  /** To agents that are attached here, and to nobody else: this is what keeps a carried dial from going any further. */
  readonly dial: (options: DialOptions) => Promise<Duplex>;
  readonly isAttached: (agentId: string) => boolean;
}

/** Carry streams that other proxies open towards agents attached here: at most one hop, never on to a third proxy. */
export class PeerDoor {
  readonly #options: PeerDoorOptions;
  readonly #carries = new Map<string, Set<CarryCall>>();

  constructor(options: PeerDoorOptions) {
    this.#options = options;
  }

  get count(): number {
    return [...this.#carries.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** `context` is that of a caller whose certificate is a proxy's. */
  take(call: CarryCall, context: CallContext, peerId: string): void {
    const { proxyId, limits, isAttached } = this.#options;
    const [agentId, ...more] = context.metadata.get(AGENT_ID_KEY);
    if (peerId === proxyId) return call.fail(new PosternError('denied', 'a proxy does not carry to itself'));
    if (typeof agentId !== 'string' || more.length > 0)
      return call.fail(new PosternError('bad_request', `a proxy names one agent in ${AGENT_ID_KEY}`));
    if (!isAttached(agentId)) return call.fail(notAttached(agentId));
    const carries = this.#carries.get(peerId) ?? new Set();
    if (carries.size >= limits.carriesPerAgent)
      return endCall(call, `a proxy may keep ${limits.carriesPerAgent} carry streams towards another`);
    this.#carries.set(peerId, carries.add(call));
    const forget = () => {
      carries.delete(call);
      if (carries.size === 0 && this.#carries.get(peerId) === carries) this.#carries.delete(peerId);
    };
    call.onClose(forget);
    void this.#carry(call, context, agentId);
  }

  /** Ends what is open, with words for those who read them. */
  endAll(error: PosternError): void {
    for (const carries of this.#carries.values()) for (const call of carries) endCall(call, error.message, error);
  }

  async #carry(call: CarryCall, { signal }: CallContext, agentId: string): Promise<void> {
    const { limits, dial } = this.#options;
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(limits.dialMs)]);
      const { resourceId, clientAddress, head } = readDial(await firstMessage(call, limited, 'the proxy'));
      const far = await dial({ agentId, resourceId, clientAddress, head, signal: limited });
      if (signal.aborted || call.closed) return void far.on('error', () => undefined).destroy();
      call.write(writeAnswer());
      joinStreams(byteStream(call, { stallMs: limits.stallMs }), far);
    } catch (error) {
      call.fail(error instanceof PosternError ? error : new PosternError('unavailable', 'the agent could not be reached'));
    }
  }
}

/** Told apart from an agent that is here and does not answer: whoever asks goes on to the next proxy. */
function notAttached(agentId: string): PosternError {
  return new PosternError('not_found', `agent ${agentId.slice(0, 64)} is not attached to this proxy`);
}
