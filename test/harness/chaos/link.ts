import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Counters, Fault } from '#chaos/fault.ts';
import { Lane } from '#chaos/lane.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}
const PASS: Fault = { mode: 'pass' };
/** After a FIN to both ends, whoever does not close is left no more than this. */
const CUT_MS = 2000;

interface Joined {
  readonly client: Socket;
  readonly target: Socket;
  readonly up: Lane;
  readonly down: Lane;
}

/** A port that stands for a target, and does to the bytes between what it is told. */
export class Link {
  readonly #server: Server;
  readonly #target: Target;
  readonly #joined = new Set<Joined>();
  #forNew: { up: Fault; down: Fault; end: 'cut' | 'reset' | undefined } = { up: PASS, down: PASS, end: undefined };
  readonly #counted = { accepted: 0, failed: 0, cut: 0, reset: 0, bytesUp: 0, bytesDown: 0, swallowed: 0 };

  constructor(target: Target) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  listen(port = 0): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  get counters(): Counters {
    return { ...this.#counted, open: this.#joined.size };
  }

  set(fault: Fault): void {
    const { connections, mode } = fault;
    const ends = mode === 'cut' || mode === 'reset' ? mode : undefined;
    if (connections !== 'existing') {
      const { up, down } = ends === undefined && mode !== 'pass' ? this.#forNew : { up: PASS, down: PASS };
      this.#forNew = { up: fault.way === 'down' ? up : fault, down: fault.way === 'up' ? down : fault, end: ends };
    }
    if (connections === 'new') return;
    for (const joined of this.#joined) {
      if (ends !== undefined) this.#end(joined, ends);
      else this.#apply(joined, fault);
    }
  }

  close(): void {
    this.#server.close();
    for (const { client, target } of this.#joined) {
      client.destroy();
      target.destroy();
    }
  }

  #apply(joined: Joined, fault: Fault): void {
    const { way, mode } = fault;
    // A stream with a hole in it is no stream: TCP would have given it up as well.
    if (mode !== 'blackhole' && (joined.up.lossy || joined.down.lossy)) return this.#end(joined, 'reset');
    if (way !== 'down') joined.up.set(fault);
    if (way !== 'up') joined.down.set(fault);
  }

  #accept(client: Socket): void {
    this.#counted.accepted += 1;
    const { up, down, end } = this.#forNew;
    client.on('error', () => undefined);
    if (end !== undefined) {
      this.#counted[end] += 1;
      return void (end === 'reset' ? client.resetAndDestroy() : client.end().destroySoon());
    }
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const joined: Joined = {
      client,
      target,
      up: new Lane(client, target, (bytes, swallowed) => this.#count(swallowed ? 'swallowed' : 'bytesUp', bytes)),
      down: new Lane(target, client, (bytes, swallowed) => this.#count(swallowed ? 'swallowed' : 'bytesDown', bytes)),
    };
    this.#joined.add(joined);
    joined.up.set(up);
    joined.down.set(down);
    target.on('error', (error) => {
      if ('syscall' in error && error.syscall === 'connect') this.#counted.failed += 1;
      client.resetAndDestroy();
    });
    client.on('error', () => target.resetAndDestroy());
    for (const socket of [client, target]) {
      socket.on('close', () => {
        if (!client.destroyed || !target.destroyed) return;
        joined.up.stop();
        joined.down.stop();
        this.#joined.delete(joined);
      });
    }
  }

  #count(what: 'bytesUp' | 'bytesDown' | 'swallowed', bytes: number): void {
    this.#counted[what] += bytes;
  }

  #end({ client, target, up, down }: Joined, how: 'cut' | 'reset'): void {
    this.#counted[how] += 1;
    up.stop();
    down.stop();
    for (const socket of [client, target]) {
      if (how === 'reset') {
        socket.resetAndDestroy();
        continue;
      }
      socket.end();
      socket.resume();
      setTimeout(() => socket.destroy(), CUT_MS).unref();
    }
  }
}
