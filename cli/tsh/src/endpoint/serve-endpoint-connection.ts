import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HttpFault } from '@postern/http';
import { limits } from '@postern/limits';
import { PosternError } from '@postern/api/errors';
import { AnswerBoundaries } from '#local-port/answer-boundaries.ts';
import { type RefusalKind, refusalKindOf, type RefusalText } from '#local-port/aws-refusal.ts';
import { gatherWrites } from '#local-port/gather-writes.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { answerAndEnd, openInTime } from '#local-port/serve-connection.ts';
import type { ConnectHeaders } from '#sessions/agent-channel.ts';
import { keyIdOf, NO_KEY } from '#endpoint/key-id-of.ts';
import { RequestFraming } from '#endpoint/request-framing.ts';
import { beginsHttp2, serveHttp2Endpoint } from '#endpoint/serve-http2-endpoint.ts';

export interface EndpointConnectionOptions {
  readonly port: number;
  /** For a request that names the key; rejects in words where no login has it. */
  readonly openStream: (accessKeyId: string, more?: ConnectHeaders) => Promise<Duplex>;
  readonly refusal: RefusalText;
  readonly notice: (line: string) => void;
}

const HEAD = { maxBytes: limits.headerBytes, maxLines: limits.headerLines };

/** One local connection of endpoint mode: each request goes to the session whose key it names. Never rejects. */
export async function serveEndpointConnection(socket: Socket, options: EndpointConnectionOptions): Promise<void> {
  const connection = new EndpointConnection(socket, options);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.setTimeout(limits.headerMs, () => socket.destroy());
  try {
    for await (const piece of socket.iterator({ destroyOnReturn: false })) {
      if (connection.isFirst && beginsHttp2(piece as Buffer)) return serveHttp2Endpoint(socket, piece as Buffer, options);
      await connection.take(piece as Buffer);
    }
    connection.ended();
  } catch (error) {
    connection.fail(error);
  }
}

/** Why a request is not passed on, as an answer of ours. */
class Refused extends Error {
  readonly kind: RefusalKind;
  readonly head: string | undefined;
  constructor(kind: RefusalKind, message: string, head?: string) {
    super(message);
    this.kind = kind;
    this.head = head;
  }
}

class EndpointConnection {
  readonly #socket: Socket;
  readonly #options: EndpointConnectionOptions;
  readonly #framing = new RequestFraming(HEAD);
  #answers = new AnswerBoundaries();
  #stream: Duplex | undefined;
  #keyId: string | undefined;
  /** Has no more to say, and its last answer is on the way. */
  #finishing: Duplex | undefined;
  isFirst = true;

  constructor(socket: Socket, options: EndpointConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.once('close', () => {
      this.#stream?.destroy();
      this.#finishing?.destroy();
    });
  }

  async take(piece: Buffer): Promise<void> {
    for (const part of this.#framing.parts(piece)) {
      if (part.kind === 'head') await this.#routeTo(part.head, part.text);
      const stream = this.#stream;
      if (stream === undefined || stream.destroyed) return;
      if (part.kind === 'head' && part.head.method === 'HEAD') this.#answers.loseTrack();
      if (!stream.write(part.bytes)) await drained(stream);
    }
  }

  /** The client says no more; what it asked is answered still. */
  ended(): void {
    if (this.#stream === undefined) this.#socket.end();
    else this.#stream.end();
  }

  fail(error: unknown): void {
    const { refusal, notice } = this.#options;
    if (error instanceof Refused || error instanceof HttpFault) {
      const kind = error instanceof Refused ? error.kind : 'forbidden';
      const head = error instanceof Refused ? error.head : undefined;
      notice(`refused a request: ${error.message}`);
      this.#leave()?.destroy();
      answerAndEnd(this.#socket, this.#answers.between ? refusal({ kind, message: error.message, head }) : undefined);
    } else this.#socket.destroy();
  }

  async #routeTo(head: { readonly target: string; readonly fields: readonly string[] }, text: string): Promise<void> {
    const { port, openStream } = this.#options;
    if (this.isFirst) {
      this.isFirst = false;
      this.#socket.setTimeout(0);
      const refused = refusalOf(text.slice(0, -4), { port, allowAddresses: false });
      if (refused !== undefined) throw new Refused('forbidden', refused, text);
    }
    const keyId = keyIdOf(head);
    if (keyId !== undefined && keyId === this.#keyId && this.#stream !== undefined) return;
    // The requests before belong to another session: it says all it has to say, and only then may somebody else answer here.
    await this.#finishStream();
    if (keyId === undefined) throw new Refused('forbidden', NO_KEY, text);
    let stream: Duplex;
    try {
      stream = await openInTime(openStream(keyId));
    } catch (error) {
      const known = error instanceof PosternError;
      throw new Refused(refusalKindOf(known ? error.code : undefined), known ? error.message : 'the connection to the agent broke', text);
    }
    if (this.#socket.destroyed) stream.destroy();
    else this.#join(stream, { keyId, text });
  }

  #join(stream: Duplex, { keyId, text }: { readonly keyId: string; readonly text: string }): void {
    const { refusal } = this.#options;
    const socket = this.#socket;
    const answers = new AnswerBoundaries();
    this.#stream = stream;
    this.#keyId = keyId;
    this.#answers = answers;
    const gather = gatherWrites(socket);
    stream.on('data', (chunk: Buffer) => {
      answers.take(chunk);
      gather(chunk.length);
    });
    stream.on('error', (error) => {
      if (this.#stream !== stream) return;
      const known = error instanceof PosternError;
      const message = known ? error.message : 'the connection to the agent broke';
      const waits = answers.between && socket.writable;
      answerAndEnd(socket, waits ? refusal({ kind: refusalKindOf(known ? error.code : undefined), message, head: text }) : undefined);
    });
    stream.on('end', () => {
      if (this.#stream === stream) socket.end();
    });
    stream.on('close', () => {
      if (this.#stream === stream && !socket.writableEnded) socket.destroy();
    });
    stream.pipe(socket, { end: false });
  }

  async #finishStream(): Promise<void> {
    const stream = this.#leave();
    if (stream === undefined || stream.readableEnded || stream.destroyed) return;
    this.#finishing = stream;
    const over = either(stream, 'end', 'close');
    stream.end();
    await over;
    this.#finishing = undefined;
  }

  #leave(): Duplex | undefined {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#keyId = undefined;
    return stream;
  }
}

function drained(stream: Duplex): Promise<void> {
  return either(stream, 'drain', 'close');
}

/** Whichever comes first; leaves no listener behind. */
function either(stream: Duplex, one: string, other: string): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off(one, settle).off(other, settle);
      resolve();
    };
    stream.on(one, settle).on(other, settle);
  });
}
