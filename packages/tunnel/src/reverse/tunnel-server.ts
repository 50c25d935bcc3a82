import type { Duplex } from 'node:stream';
import { type CallContext, type Handlers, PosternError, type ReverseTunnel } from '@postern/api';
import { byteStream } from '#byte-stream.ts';
import { resetServerCall } from '#grpc-internals.ts';
import type { GrpcConnection } from '#grpc-tls-server.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { type AttachCall, AttachedAgent, type CarryCall, endCall } from '#reverse/attached-agent.ts';
import { readAnswer, writeDial } from '#reverse/dial-frame.ts';

export interface ReverseTunnelServerOptions {
  readonly proxyId: string;
  readonly version: string;
  readonly limits?: Partial<TunnelLimits>;
  readonly onChange?: (change: { readonly agentId: string; readonly state: 'attached' | 'detached'; readonly reason: string }) => void;
}

export interface DialOptions {
  readonly agentId: string;
  readonly resourceId: Buffer;
  /** host:port of the client, for the agent's audit. */
  readonly clientAddress: string;
  /** What the client has sent so far; it leaves with the dial. */
  readonly head?: Buffer;
  readonly signal?: AbortSignal;
}

/** The proxy's end of reverse tunnels: which agents are attached, and streams to them. Who an agent is comes from its certificate alone. */
export class ReverseTunnelServer {
  /** For `implement(services.reverseTunnel, …)` of @postern/api. */
  readonly handlers: Handlers<typeof ReverseTunnel>;
  readonly #options: ReverseTunnelServerOptions;
  readonly #limits: TunnelLimits;
  readonly #agents = new Map<string, AttachedAgent>();
  #draining = false;

  constructor(options: ReverseTunnelServerOptions) {
    this.#options = options;
    this.#limits = { ...tunnelLimits, ...options.limits };
    this.handlers = {
      attach: (call, context) => this.#attach(call, context),
      carry: (call, context) => this.#carry(call, context),
    };
  }

  /** Counts a connection against its agent's limit; false where it is one too many. */
  admit(agentId: string, connection: GrpcConnection): boolean {
    const agent = this.#agentOf(agentId);
    if (!agent.addConnection(connection)) return false;
    connection.onClose(() => {
      agent.removeConnection(connection);
      this.#forgetWhereEmpty(agent);
    });
    return true;
  }

  /** The ids of agents that take dials now. */
  attachedAgents(): string[] {
    return [...this.#agents.values()].filter((agent) => agent.dialable).map(({ agentId }) => agentId);
  }

  counts(): { readonly agents: number; readonly idleCarries: number; readonly busyCarries: number } {
    const agents = [...this.#agents.values()];
    return {
      agents: agents.filter(({ attachCount }) => attachCount > 0).length,
      idleCarries: agents.reduce((sum, { idleCount }) => sum + idleCount, 0),
      busyCarries: agents.reduce((sum, { busyCount }) => sum + busyCount, 0),
    };
  }

  /** A stream to an agent that has accepted the dial. Rejects with `unavailable` within the dial limit, and with the agent's own words where it refused. */
  async dial(options: DialOptions): Promise<Duplex> {
    const agent = this.#agents.get(options.agentId);
    if (!agent?.dialable) throw new PosternError('unavailable', `agent ${options.agentId} is not attached to this proxy`);
    const timeout = AbortSignal.timeout(this.#limits.dialMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const carry = await agent.takeCarry(signal);
    try {
      const answer = firstMessage(carry, signal, options.agentId);
      carry.write(
        writeDial({ resourceId: options.resourceId, clientAddress: options.clientAddress, head: options.head ?? Buffer.alloc(0) }),
      );
      const refusal = readAnswer(await answer);
      if (refusal !== undefined) throw new PosternError('unavailable', `agent ${options.agentId} refused: ${refusal}`);
    } catch (error) {
      carry.on('error', () => undefined);
      resetServerCall(carry);
      throw error;
    }
    return byteStream(carry, { stallMs: this.#limits.stallMs });
  }

  /** Ends everything of an agent: locked, expired, removed. */
  endAgent(agentId: string, error: PosternError): void {
    this.#agents.get(agentId)?.end(error);
  }

  /** No new dials, no new agents; agents look for another proxy, open streams go on. */
  drain(): void {
    this.#draining = true;
    for (const agent of this.#agents.values()) agent.tell({ frame: { $case: 'drain', value: {} } });
  }

  stop(): void {
    this.#draining = true;
    for (const agent of this.#agents.values()) agent.end(new PosternError('unavailable', 'the proxy is stopping'));
  }

  #attach(call: AttachCall, context: CallContext): void {
    const agentId = identityName(context);
    const { limits, agent } = { limits: this.#limits, agent: this.#agentOf(agentId) };
    if (this.#draining) return endCall(call, 'the proxy is stopping');
    let attached = false;
    let heartbeat: NodeJS.Timeout | undefined;
    const helloTimer = setTimeout(() => endCall(call, 'no hello came on the attach stream'), limits.helloMs);
    const silence = setTimeout(() => {
      gone('silent');
      endCall(call, `nothing was heard for ${limits.silenceMs} ms`);
      resetServerCall(call);
    }, limits.silenceMs);
    const gone = (reason: string) => {
      clearTimeout(helloTimer);
      clearTimeout(silence);
      clearInterval(heartbeat);
      if (!attached) return;
      attached = false;
      agent.removeAttach(call);
      if (agent.attachCount === 0) this.#options.onChange?.({ agentId, state: 'detached', reason });
      this.#forgetWhereEmpty(agent);
    };
    call.once('cancelled', () => gone('closed')).once('close', () => gone('closed'));
    call.on('error', (error: Error) => gone(error.message ?? 'refused'));
    call.on('end', () => {
      gone('ended');
      if (!call.writableEnded) call.end();
    });
    call.on('data', ({ frame }) => {
      silence.refresh();
      if (frame?.$case === 'drain') return agent.markDraining(call);
      if (frame?.$case !== 'hello' || attached) return;
      clearTimeout(helloTimer);
      if (!agent.addAttach(call)) return endCall(call, `an agent may attach ${limits.connectionsPerAgent} times to one proxy`);
      attached = true;
      call.write({ frame: { $case: 'hello', value: { proxyId: this.#options.proxyId, version: this.#options.version } } });
      heartbeat = setInterval(() => {
        if (!call.writableNeedDrain && !call.writableEnded) call.write({ frame: { $case: 'heartbeat', value: { timeMs: Date.now() } } });
      }, limits.heartbeatMs);
      if (agent.attachCount === 1) this.#options.onChange?.({ agentId, state: 'attached', reason: 'hello' });
    });
  }

  #carry(call: CarryCall, context: CallContext): void {
    call.on('error', () => undefined);
    if (this.#draining) return endCall(call, 'the proxy is stopping');
    const agent = this.#agents.get(identityName(context));
    if (!agent) return endCall(call, 'attach before opening carry streams');
    agent.addCarry(call);
  }

  #agentOf(agentId: string): AttachedAgent {
    const known = this.#agents.get(agentId);
    if (known) return known;
    const agent = new AttachedAgent(agentId, this.#limits);
    this.#agents.set(agentId, agent);
    return agent;
  }

  #forgetWhereEmpty(agent: AttachedAgent): void {
    if (agent.empty && this.#agents.get(agent.agentId) === agent) this.#agents.delete(agent.agentId);
  }
}

function identityName(context: CallContext): string {
  if (context.caller.kind !== 'identified') throw new PosternError('unauthenticated', 'a certificate is needed');
  return context.caller.identity.name;
}

function firstMessage(call: CarryCall, signal: AbortSignal, agentId: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = () => finish(() => reject(new PosternError('unavailable', `agent ${agentId} closed the stream`)));
    const late = () => finish(() => reject(new PosternError('unavailable', `agent ${agentId} did not answer in time`)));
    const take = (message: Buffer) => finish(() => resolve(message));
    const finish = (settle: () => void) => {
      call.pause();
      call.off('data', take).off('cancelled', fail).off('close', fail).off('end', fail).off('error', fail);
      signal.removeEventListener('abort', late);
      settle();
    };
    call.on('data', take).once('cancelled', fail).once('close', fail).once('end', fail).once('error', fail);
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) late();
  });
}
