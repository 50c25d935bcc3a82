import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { dial as dialAddress } from '#raw-call/dial.ts';
import { answerDial, hearDial } from '#reverse/line-dial.ts';
import { LINE_TOKEN_BYTES, lineHello } from '#reverse/line-hello.ts';

export interface AgentLinesOptions {
  /** host:port of the proxy, which asked for them. */
  readonly proxy: string;
  readonly serves: (resourceId: Buffer) => string | undefined;
  readonly onConnection: (stream: Duplex, dial: { readonly resourceId: Buffer; readonly clientAddress: string }) => void;
  /** One that carried a connection is closed. */
  readonly onFreed: () => void;
}

/** So that a NAT in between does not forget a line that waits. */
const KEEPALIVE_MS = 30_000;

/** The lines of one attachment, at the agent: connections of their own beside the tunnel, each for one session. They end with it. */
export class AgentLines {
  readonly #options: AgentLinesOptions;
  readonly #abort = new AbortController();
  readonly #idle = new Set<Socket>();
  readonly #busy = new Set<Socket>();
  #opening = 0;
  #closed = false;

  constructor(options: AgentLinesOptions) {
    this.#options = options;
  }

  get busyCount(): number {
    return this.#busy.size;
  }
  /** Open, or about to be. */
  get count(): number {
    return this.#opening + this.#idle.size + this.#busy.size;
  }

  /** One that cannot be opened is not tried again: the proxy goes another way, and asks when it wants to. */
  open(token: Buffer): void {
    if (this.#closed || token.length !== LINE_TOKEN_BYTES) return;
    this.#opening += 1;
    this.#open(token).catch(() => undefined);
  }

  /** Those that wait; takes no more. */
  closeIdle(): void {
    this.#closed = true;
    for (const line of this.#idle) line.destroy();
  }

  end(): void {
    this.closeIdle();
    this.#abort.abort();
    for (const line of this.#busy) line.destroy();
  }

  async #open(token: Buffer): Promise<void> {
    const { signal } = this.#abort;
    const line = await dialAddress(this.#options.proxy, signal).finally(() => (this.#opening -= 1));
    line.on('error', () => line.destroy());
    if (this.#closed) return void line.destroy();
    line.setKeepAlive(true, KEEPALIVE_MS);
    line.allowHalfOpen = true;
    this.#idle.add(line);
    line.once('close', () => {
      this.#idle.delete(line);
      if (this.#busy.delete(line)) this.#options.onFreed();
    });
    line.write(lineHello(token));
    const dial = await hearDial(line, signal).catch((error: unknown) => {
      line.destroy();
      throw error;
    });
    this.#idle.delete(line);
    const refusal = this.#options.serves(dial.resourceId);
    answerDial(line, refusal);
    if (refusal !== undefined) return;
    this.#busy.add(line);
    this.#options.onConnection(line, dial);
  }
}
