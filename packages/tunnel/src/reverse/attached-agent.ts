import { PosternError, type ProxyFrame, ReverseTunnel, type Spread } from '@postern/api';
import type { GrpcConnection } from '#grpc-tls-server.ts';
import type { TunnelLimits } from '#limits.ts';
import type { ServerRawCall } from '#raw-call/server-raw-call.ts';
import type { AttachedLines } from '#reverse/attached-lines.ts';
import type { Line } from '#reverse/line-tokens.ts';
import type { Silence } from '#reverse/silence.ts';

export type AttachCall = ServerRawCall;
export type CarryCall = ServerRawCall;

interface Attach {
  /** When it is asked. */
  readonly opensLines: boolean;
  readonly silence: Silence;
  draining: boolean;
  lines: AttachedLines | undefined;
}

export interface TakenLine extends Line {
  /** It led nowhere. */
  readonly distrust: () => void;
}

interface Waiter {
  readonly take: (carry: CarryCall) => void;
}

/** What a proxy holds of one agent: its connections, its control streams, its idle and busy Carry streams. */
export class AttachedAgent {
  readonly agentId: string;
  readonly #limits: TunnelLimits;
  readonly #connections = new Set<GrpcConnection>();
  readonly #linesOf: (call: AttachCall) => AttachedLines;
  readonly #attaches = new Map<AttachCall, Attach>();
  readonly #idle = new Set<CarryCall>();
  readonly #busy = new Set<CarryCall>();
  readonly #waiters = new Set<Waiter>();

  constructor(agentId: string, limits: TunnelLimits, linesOf: (call: AttachCall) => AttachedLines) {
    this.agentId = agentId;
    this.#linesOf = linesOf;
    this.#limits = limits;
  }

  /** Attached, and not about to leave. */
  get dialable(): boolean {
    return [...this.#attaches.values()].some(({ draining }) => !draining);
  }
  get attachCount(): number {
    return this.#attaches.size;
  }
  get idleCount(): number {
    return this.#idle.size;
  }
  get busyCount(): number {
    return this.#busy.size;
  }
  linesThatAre(which: 'idleCount' | 'busyCount' | 'claimedCount'): number {
    let sum = 0;
    for (const { lines } of this.#attaches.values()) sum += lines?.[which] ?? 0;
    return sum;
  }
  get empty(): boolean {
    return this.#attaches.size + this.#connections.size + this.#busy.size === 0;
  }

  addConnection(connection: GrpcConnection): boolean {
    if (this.#connections.size >= this.#limits.connectionsPerAgent) return false;
    this.#connections.add(connection);
    return true;
  }
  removeConnection(connection: GrpcConnection): void {
    this.#connections.delete(connection);
  }

  addAttach(call: AttachCall, { opensLines, silence }: Pick<Attach, 'opensLines' | 'silence'>): boolean {
    if (this.#attaches.size >= this.#limits.connectionsPerAgent) return false;
    this.#attaches.set(call, { opensLines, silence, draining: false, lines: undefined });
    return true;
  }
  markDraining(call: AttachCall): void {
    const attach = this.#attaches.get(call);
    if (!attach) return;
    attach.draining = true;
    const taking = new Set([...this.#attaches].filter(([, { draining }]) => !draining).map(([{ stream }]) => stream.session));
    // The agent is about to close them. Whoever is dialled now would be lost with them.
    for (const idle of this.#idle) if (!taking.has(idle.stream.session)) this.#idle.delete(idle);
  }
  removeAttach(call: AttachCall): void {
    this.#attaches.get(call)?.lines?.end();
    this.#attaches.delete(call);
    if (this.#attaches.size > 0) return;
    for (const idle of this.#idle) endCall(idle, 'this agent has left the proxy');
    this.#idle.clear();
  }

  addCarry(call: CarryCall): void {
    if (this.#attaches.size === 0) return endCall(call, 'attach before opening carry streams');
    if (this.#idle.size + this.#sessions >= this.#limits.carriesPerAgent || this.#idle.size >= this.#limits.idleCarriesPerAgent) {
      return endCall(
        call,
        `an agent may keep ${this.#limits.idleCarriesPerAgent} idle carry streams and ${this.#limits.carriesPerAgent} in all`,
      );
    }
    call.onClose(() => {
      this.#idle.delete(call);
      this.#busy.delete(call);
    });
    const [waiter] = this.#waiters;
    if (!waiter) return void this.#idle.add(call);
    this.#waiters.delete(waiter);
    this.#busy.add(call);
    waiter.take(call);
  }

  /** That there are, or are about to be. */
  get #sessions(): number {
    return this.#busy.size + this.linesThatAre('claimedCount');
  }

  /** A line of the newest attachment; undefined where the agent gives none. */
  async takeLine(signal: AbortSignal): Promise<TakenLine | undefined> {
    const [call, attach] = [...this.#attaches].findLast(([, { draining }]) => !draining) ?? [];
    if (call === undefined || attach?.opensLines !== true || this.#sessions >= this.#limits.carriesPerAgent) return undefined;
    // Thousands of agents are attached, and few of them are used: 3 kB each.
    const lines = (attach.lines ??= this.#linesOf(call));
    const line = await lines.take(signal);
    return line && { ...line, distrust: () => lines.distrust() };
  }

  /** An idle stream, or the next that the agent opens; rejects when the signal is aborted. */
  takeCarry(signal: AbortSignal): Promise<CarryCall> {
    for (const call of this.#idle) {
      this.#idle.delete(call);
      if (call.closed) continue;
      this.#busy.add(call);
      return Promise.resolve(call);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { take: resolve };
      this.#waiters.add(waiter);
      signal.addEventListener(
        'abort',
        () => {
          if (this.#waiters.delete(waiter)) reject(new PosternError('unavailable', `agent ${this.agentId} opened no stream in time`));
        },
        { once: true },
      );
      this.tell({ frame: { $case: 'openCarries', value: { count: this.#waiters.size } } });
    });
  }

  tell(frame: ProxyFrame): void {
    for (const call of this.#attaches.keys()) tell(call, frame);
  }

  spread(spread: Spread): void {
    this.tell({ frame: { $case: 'spread', value: spread } });
    for (const { silence } of this.#attaches.values()) silence.allow(spread.quietMs);
  }

  /** Ends everything of this agent: streams that are open as well. */
  end(error: PosternError): void {
    for (const call of [...this.#attaches.keys(), ...this.#idle]) endCall(call, error.message, error);
    for (const call of this.#busy) call.reset();
    for (const { lines } of this.#attaches.values()) lines?.end();
    // The status of the control stream has left by then; a peer that reads nothing loses the connection.
    setImmediate(() => {
      for (const connection of this.#connections) connection.destroy();
    });
  }
}

/** An agent that reads nothing is told nothing more. */
export function hears(call: AttachCall): boolean {
  return !call.stream.writableNeedDrain;
}

export function tell(call: AttachCall, frame: ProxyFrame): void {
  if (hears(call)) call.write(ReverseTunnel.attach.responseSerialize(frame));
}

export function endCall(call: ServerRawCall, reason: string, error = new PosternError('unavailable', reason)): void {
  call.fail(error);
}
