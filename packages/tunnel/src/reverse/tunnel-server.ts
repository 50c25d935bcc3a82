import type { Http2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type AgentFrame, type CallContext, type Handlers, Identity_Kind, PosternError, ReverseTunnel } from '@postern/api';
import type { GrpcConnection } from '#grpc-tls-server.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { receiveMessages } from '#raw-call/raw-call.ts';
import { ServerRawCall } from '#raw-call/server-raw-call.ts';
import { type AttachCall, AttachedAgent, type CarryCall, endCall, hears, tell } from '#reverse/attached-agent.ts';
import type { ResetLimit } from '#reset-limit.ts';
import { AttachedLines } from '#reverse/attached-lines.ts';
import { dialAgent } from '#reverse/dial-agent.ts';
import { LineTokens } from '#reverse/line-tokens.ts';
import { AGENT_ID_KEY, PeerDoor } from '#reverse/peer-door.ts';
import { Silence } from '#reverse/silence.ts';
import { SpreadTeller } from '#reverse/spread-teller.ts';

export interface ReverseTunnelServerOptions {
  readonly proxyId: string;
  readonly version: string;
  readonly limits?: Partial<TunnelLimits>;
  /** Whoever serves this has a door for lines and hands what comes there to acceptLine. */
  readonly asksForLines?: boolean;
  readonly onChange?: (change: { readonly agentId: string; readonly state: 'attached' | 'detached'; readonly reason: string }) => void;
  /** A caller that asked for what is another's. */
  readonly onRefused?: (refusal: { readonly hostId: string; readonly reason: string }) => void;
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

/** Agents attached; streams and lines that wait for a session, and that carry one; streams that other proxies have here. */
export interface TunnelCounts {
  readonly agents: number;
  readonly idleCarries: number;
  readonly busyCarries: number;
  readonly idleLines: number;
  readonly busyLines: number;
  readonly peerCarries: number;
}

/** The proxy's end of reverse tunnels: which agents are attached, and streams to them. Who an agent is comes from its certificate alone. */
export class ReverseTunnelServer {
  /** For `implement(services.reverseTunnel, …)` of @postern/api. */
  readonly handlers: Handlers<typeof ReverseTunnel>;
  /** For the server at whose door the tunnels come in: streams that were given to nobody, withdrawn by the agent that opened them. */
  readonly resets: ResetLimit = { atOnce: 1_000, perSecond: 33, isExcused: (stream) => this.#taken.has(stream) };
  readonly #options: ReverseTunnelServerOptions;
  readonly #limits: TunnelLimits;
  readonly #agents = new Map<string, AttachedAgent>();
  readonly #lineTokens = new LineTokens();
  readonly #peers: PeerDoor;
  /** Streams that are somebody's connection: who hangs up ends them, and not the host that opened them. */
  readonly #taken = new WeakSet<Http2Stream>();
  #draining = false;
  readonly #spread: SpreadTeller;

  constructor(options: ReverseTunnelServerOptions) {
    this.#options = options;
    this.#limits = { ...tunnelLimits, ...options.limits };
    this.#spread = new SpreadTeller({ agents: this.#agents, attachMs: this.#limits.attachMs });
    this.#peers = new PeerDoor({
      proxyId: options.proxyId,
      limits: this.#limits,
      dial: (dial) => this.dial(dial),
      isAttached: (agentId) => this.#agents.get(agentId)?.dialable ?? false,
    });
    this.handlers = {
      attach: (call, context) => this.#attach(ServerRawCall.of(call), context),
      carry: (call, context) => this.#carry(ServerRawCall.of(call), context),
    };
  }

  /** Counts a connection against the limit of its host, an agent or another proxy; false where it is one too many. */
  admit(hostId: string, connection: GrpcConnection): boolean {
    const agent = this.#agentOf(hostId);
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

  counts(): TunnelCounts {
    const counts = { agents: 0, idleCarries: 0, busyCarries: 0, idleLines: 0, busyLines: 0, peerCarries: this.#peers.count };
    for (const agent of this.#agents.values()) {
      if (agent.attachCount > 0) counts.agents += 1;
      counts.idleCarries += agent.idleCount;
      counts.busyCarries += agent.busyCount;
      counts.idleLines += agent.linesThatAre('idleCount');
      counts.busyLines += agent.linesThatAre('busyCount');
    }
    return counts;
  }

  /** So much longer than by itself an agent may have been told to take between two PINGs. */
  get quietMs(): number {
    return this.#spread.now.quietMs;
  }

  /** A connection that came under the name of a token. False where it is not one that an agent was told lately. */
  acceptLine(name: string, socket: Socket): boolean {
    return this.#lineTokens.redeem(name, socket);
  }

  /** A stream to an agent that has accepted the dial. Rejects with `unavailable` within the dial limit, and with the agent's own words where it refused. */
  async dial(options: DialOptions): Promise<Duplex> {
    const agent = this.#agents.get(options.agentId);
    if (!agent?.dialable) throw new PosternError('unavailable', `agent ${options.agentId} is not attached to this proxy`);
    const timeout = AbortSignal.timeout(this.#limits.dialMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const { resourceId, clientAddress, head = Buffer.alloc(0) } = options;
    return dialAgent(agent, {
      dial: { resourceId, clientAddress, head },
      stallMs: this.#limits.stallMs,
      signal,
      onTaken: ({ stream }) => this.#taken.add(stream),
    });
  }

  /** Ends everything of an agent or of another proxy: locked, expired, removed. */
  endHost(hostId: string, error: PosternError): void {
    this.#agents.get(hostId)?.end(error);
  }

  /** No new dials, no new agents; agents look for another proxy, open streams go on. */
  drain(): void {
    this.#draining = true;
    for (const agent of this.#agents.values()) agent.tell({ frame: { $case: 'drain', value: {} } });
  }

  stop(): void {
    this.#draining = true;
    this.#spread.stop();
    const error = new PosternError('unavailable', 'the proxy is stopping');
    this.#peers.endAll(error);
    for (const agent of this.#agents.values()) agent.end(error);
  }

  #attach(call: AttachCall, context: CallContext): void {
    const agentId = identityName(context);
    const { limits, agent } = { limits: this.#limits, agent: this.#agentOf(agentId) };
    if (this.#draining) return endCall(call, 'the proxy is stopping');
    let attached = false;
    const helloTimer = setTimeout(() => endCall(call, 'no hello came on the attach stream'), limits.helloMs);
    const silence = new Silence(limits.silenceMs, (afterMs) => {
      gone('silent');
      call.reset();
      // Whatever else it had open hangs on the same wire.
      if (agent.attachCount === 0) agent.end(new PosternError('unavailable', `nothing was heard for ${afterMs} ms`));
    });
    const gone = (reason: string) => {
      clearTimeout(helloTimer);
      silence.end();
      if (!attached) return;
      attached = false;
      agent.removeAttach(call);
      if (agent.attachCount === 0) this.#options.onChange?.({ agentId, state: 'detached', reason });
      this.#forgetWhereEmpty(agent);
    };
    call.onClose(() => gone('closed'));
    const hear = ({ frame }: AgentFrame) => {
      if (frame?.$case === 'drain') return agent.markDraining(call);
      if (frame?.$case !== 'hello' || attached) return;
      clearTimeout(helloTimer);
      if (!agent.addAttach(call, { silence, opensLines: this.#options.asksForLines === true && frame.value.opensLines }))
        return endCall(call, `an agent may attach ${limits.connectionsPerAgent} times to one proxy`);
      attached = true;
      // The session answers it before anybody here hears of it: thousands of idle agents wake this process once a beat each, for a moment.
      call.onPing(() => silence.heard());
      const { proxyId, version } = this.#options;
      const spread = this.#spread.attached();
      silence.allow(spread.quietMs);
      tell(call, { frame: { $case: 'hello', value: { proxyId, version, spread } } });
      if (agent.attachCount === 1) this.#options.onChange?.({ agentId, state: 'attached', reason: 'hello' });
    };
    receiveMessages(call, {
      message: (bytes) => {
        silence.heard();
        hear(ReverseTunnel.attach.requestDeserialize(bytes));
      },
      over: (error) => {
        gone(error?.message ?? 'ended');
        call.end();
      },
    });
  }

  #linesOf(call: AttachCall): AttachedLines {
    const ask = (makeTokens: () => Buffer[]) => {
      if (!hears(call)) return false;
      tell(call, { frame: { $case: 'openLines', value: { tokens: makeTokens() } } });
      return true;
    };
    return new AttachedLines({ tokens: this.#lineTokens, ask });
  }

  #carry(call: CarryCall, context: CallContext): void {
    if (this.#draining) return endCall(call, 'the proxy is stopping');
    const hostId = identityName(context);
    if (identityKind(context) === Identity_Kind.PROXY) {
      this.#taken.add(call.stream);
      return this.#peers.take(call, context, hostId);
    }
    // An agent's streams lead to itself; what it says of another is an attack or a grave mistake.
    if (context.metadata.get(AGENT_ID_KEY).some((named) => named !== hostId)) {
      const reason = 'an agent may not name another agent';
      this.#options.onRefused?.({ hostId, reason });
      return call.fail(new PosternError('denied', reason));
    }
    const agent = this.#agents.get(hostId);
    if (!agent) return endCall(call, 'attach before opening carry streams');
    agent.addCarry(call);
  }

  #agentOf(agentId: string): AttachedAgent {
    const known = this.#agents.get(agentId);
    if (known) return known;
    const agent = new AttachedAgent(agentId, this.#limits, (call) => this.#linesOf(call));
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

function identityKind(context: CallContext): Identity_Kind | undefined {
  return context.caller.kind === 'identified' ? context.caller.identity.kind : undefined;
}
