import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { answerDial, hearDial } from '#reverse/line-dial.ts';
import { LINE_NAME_BYTES, LINE_TOKEN_BYTES, lineHello } from '#reverse/line-hello.ts';
import { LINE_TOKEN_LIVES_MS } from '#reverse/line-tokens.ts';

export interface AgentLinesOptions {
  /** Another connection to the proxy that asked for them. */
  readonly dial: (signal: AbortSignal) => Promise<Socket>;
  readonly serves: (resourceId: Buffer) => string | undefined;
  readonly onConnection: (stream: Duplex, dial: { readonly resourceId: Buffer; readonly clientAddress: string }) => void;
  /** One that carried a connection is closed. */
  readonly onFreed: () => void;
}

/** Being opened, waiting, or refused and not closed yet. A proxy asks for fewer. */
const MAX_WAITING = 128;
/** For a refusal to be read. */
const LINGER_MS = 1_000;
/** One for all: without a reason Node makes an exception with its stack for each. */
const OVER = new PosternError('unavailable', 'the tunnel is over');

/** The lines of one attachment, at the agent: connections of their own beside the tunnel, each for one session. They end with it. */
export class AgentLines {
  readonly #options: AgentLinesOptions;
  readonly #abort = new AbortController();
  readonly #waiting = new Set<Socket>();
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
    return this.#opening + this.#waiting.size + this.#busy.size;
  }

  /** One that cannot be opened is not tried again: the proxy goes another way, and asks when it wants to. */
  open(token: Buffer): void {
    if (this.#closed || token.length !== LINE_TOKEN_BYTES || this.#opening + this.#waiting.size >= MAX_WAITING) return;
    this.#open(token).catch(() => undefined);
  }

  /** Those that wait; takes no more. */
  closeWaiting(): void {
    this.#closed = true;
    for (const line of this.#waiting) line.destroy();
  }

  end(): void {
    this.closeWaiting();
    this.#abort.abort(OVER);
    for (const line of this.#busy) line.destroy();
  }

  async #open(token: Buffer): Promise<void> {
    this.#opening += 1;
    const inTime = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(LINE_TOKEN_LIVES_MS)]);
    const socket = await this.#options.dial(inTime).finally(() => (this.#opening -= 1));
    socket.on('error', () => socket.destroy());
    if (this.#closed) return void socket.destroy();
    socket.allowHalfOpen = true;
    this.#waiting.add(socket);
    socket.once('close', () => {
      this.#waiting.delete(socket);
      if (this.#busy.delete(socket)) this.#options.onFreed();
    });
    socket.write(lineHello(token));
    const line = { line: socket, key: token.subarray(LINE_NAME_BYTES) };
    try {
      this.#answer(socket, line, await hearDial(line, this.#abort.signal));
    } catch {
      socket.destroy();
    }
  }

  #answer(socket: Socket, line: Parameters<typeof answerDial>[0], dial: Awaited<ReturnType<typeof hearDial>>): void {
    const refusal = this.#options.serves(dial.resourceId);
    answerDial(line, refusal);
    if (refusal !== undefined) {
      // What the client has sent is thrown away: a socket with unread bytes would never close.
      socket.resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
      return;
    }
    this.#waiting.delete(socket);
    this.#busy.add(socket);
    this.#options.onConnection(socket, dial);
  }
}
