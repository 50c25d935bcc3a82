import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, PosternError } from '@postern/api/errors';
import { AnswerBoundaries } from '#local-port/answer-boundaries.ts';
import { refusalKindOf, type RefusalText } from '#local-port/aws-refusal.ts';
import { gatherWrites } from '#local-port/gather-writes.ts';
import { OneExchange } from '#local-port/one-exchange.ts';
import { readHead } from '#local-port/read-head.ts';
import { giveBack } from '#sessions/spare-streams.ts';

export interface ConnectionOptions {
  readonly openStream: () => Promise<Duplex>;
  /** Why the first request is refused, or undefined where it may pass. */
  readonly guard: (head: string) => string | undefined;
  readonly refusal: RefusalText;
  /** A line for the person in front of the terminal. */
  readonly notice: (line: string) => void;
}

/** One local connection: guarded, then joined to a stream of the session. Never rejects. */
export async function serveConnection(socket: Socket, options: ConnectionOptions): Promise<void> {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const first = await readHead(socket);
  if (first.kind === 'closed') return void socket.destroy();
  const refused = first.kind === 'refused' ? first.reason : options.guard(first.head);
  if (refused !== undefined) {
    options.notice(`refused a local connection: ${refused}`);
    const head = first.kind === 'head' ? first.head : undefined;
    return answerAndEnd(socket, options.refusal({ kind: 'forbidden', message: refused, head }));
  }
  if (first.kind === 'refused') return;
  try {
    const stream = await openInTime(options.openStream());
    if (socket.destroyed) giveBack(stream);
    else join(socket, stream, { first, refusal: options.refusal });
  } catch (error) {
    options.notice(messageOf(error));
    answerAndEnd(socket, options.refusal({ kind: refusalKindOf(codeOf(error)), message: messageOf(error), head: first.head }));
  }
}

/** An SDK tries again by itself: it is told early, while the session goes on looking for an agent. */
const OPEN_MS = 4_500;

export async function openInTime<T extends Duplex>(opening: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new PosternError('unavailable', `no agent has answered for ${OPEN_MS / 1000} s: try again`));
    opening.then(
      (stream) => stream.destroy(),
      () => undefined,
    );
  }, OPEN_MS);
  return Promise.race([opening, late.promise]).finally(() => clearTimeout(timer));
}

interface Joined {
  readonly first: { readonly head: string; readonly bytes: Buffer };
  readonly refusal: RefusalText;
}

/**
 * Copies bytes both ways; `pipe` obeys backpressure. Where the stream breaks while the client waits for the first
 * byte of an answer, it gets one that says so; in the middle of an answer only a cut connection is honest, and a client
 * that sends requests ahead may be in the middle of one when it begins another. Where the client leaves after one whole exchange
 * its stream is kept for the next connection.
 */
function join(socket: Socket, stream: Duplex, { first, refusal }: Joined): void {
  const answers = new AnswerBoundaries();
  const exchange = new OneExchange(first.head, answers);
  const gather = gatherWrites(socket);
  let clientWaits = true;
  const onSent = (chunk: Buffer) => {
    exchange.sent(chunk.length);
    // The rest of a body may still come while its answer is on the way: only a new request waits for a new answer.
    if (startsRequest(chunk)) clientWaits = true;
    if (asksHead(chunk)) answers.loseTrack();
  };
  const onReceived = (chunk: Buffer) => {
    answers.take(chunk);
    gather(chunk.length);
    clientWaits = false;
  };
  const onError = (error: Error) => {
    const told = clientWaits && answers.between && socket.writable;
    answerAndEnd(socket, told ? refusal({ kind: refusalKindOf(codeOf(error)), message: messageOf(error), head: first.head }) : undefined);
  };
  const onClose = () => {
    if (!socket.writableEnded) socket.destroy();
  };
  const detach = () => {
    socket.unpipe(stream);
    stream.unpipe(socket);
    stream.off('data', onReceived).off('error', onError).off('close', onClose);
    socket.off('end', onEnd).off('close', onLeft);
    giveBack(stream);
  };
  const onEnd = () => {
    if (!exchange.isOver) return void stream.end();
    detach();
    socket.end();
  };
  const onLeft = () => {
    if (exchange.isOver) detach();
    else stream.destroy();
  };
  socket.on('data', onSent).on('end', onEnd).on('close', onLeft);
  stream.on('data', onReceived).on('error', onError).on('close', onClose);
  exchange.sent(first.bytes.length);
  if (asksHead(first.bytes)) answers.loseTrack();
  stream.write(first.bytes);
  socket.pipe(stream, { end: false });
  stream.pipe(socket);
}

function startsRequest(chunk: Buffer): boolean {
  return /^[A-Z]{1,32} \S+ HTTP\/1\.1\r\n/.test(chunk.toString('latin1', 0, 128));
}

function asksHead(chunk: Buffer): boolean {
  return chunk.toString('latin1', 0, 5) === 'HEAD ';
}

/** Reads on for a moment, so that the answer is not lost in the reset that unread bytes would cause. */
export function answerAndEnd(socket: Socket, text: string | Buffer | undefined): void {
  const LINGER_MS = 1_000;
  socket.unpipe();
  socket.resume();
  if (text === undefined) socket.end();
  else socket.end(text);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof PosternError ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof PosternError ? error.message : 'the connection to the agent broke';
}
