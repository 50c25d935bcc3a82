import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, PosternError } from '@postern/api/errors';
import { AnswerBoundaries } from '#proxy-db/answer-boundaries.ts';
import { awsRefusal, FORBIDDEN, shapeOf } from '#proxy-db/aws-refusal.ts';
import { type GuardOptions, refusalOf } from '#proxy-db/local-guard.ts';
import { readHead } from '#proxy-db/read-head.ts';

export interface ConnectionOptions {
  readonly openStream: () => Promise<Duplex>;
  readonly guard: GuardOptions;
  /** A line for the person in front of the terminal. */
  readonly notice: (line: string) => void;
}

/** One local connection: guarded, then joined to a stream of the session. Never rejects. */
export async function serveConnection(socket: Socket, options: ConnectionOptions): Promise<void> {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const first = await readHead(socket);
  if (first.kind === 'closed') return void socket.destroy();
  const refusal = first.kind === 'refused' ? first.reason : refusalOf(first.head, options.guard);
  if (refusal !== undefined || first.kind === 'refused') {
    options.notice(`refused a local connection: ${refusal}`);
    return answer(socket, awsRefusal(FORBIDDEN, `tsh proxy db: ${refusal}`));
  }
  try {
    const stream = await inTime(options.openStream());
    if (socket.destroyed) stream.destroy();
    else join(socket, stream, first.bytes);
  } catch (error) {
    options.notice(messageOf(error));
    answer(socket, awsRefusal(shapeOf(codeOf(error)), `tsh proxy db: ${messageOf(error)}`));
  }
}

/** An SDK tries again by itself: it is told early, while the session goes on looking for an agent. */
const OPEN_MS = 4_500;

async function inTime(opening: Promise<Duplex>): Promise<Duplex> {
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

/**
 * Copies bytes both ways; `pipe` obeys backpressure. Where the stream breaks while the client waits for the first
 * byte of an answer, it gets one that says so; in the middle of an answer only a cut connection is honest, and a client
 * that sends requests ahead may be in the middle of one when it begins another.
 */
function join(socket: Socket, stream: Duplex, first: Buffer): void {
  const answers = new AnswerBoundaries();
  let clientWaits = true;
  socket.on('data', (chunk: Buffer) => {
    // The rest of a body may still come while its answer is on the way: only a new request waits for a new answer.
    if (startsRequest(chunk)) clientWaits = true;
  });
  stream.on('data', (chunk: Buffer) => {
    answers.take(chunk);
    clientWaits = false;
  });
  stream.on('error', (error) => {
    const told = clientWaits && answers.between && socket.writable;
    answer(socket, told ? awsRefusal(shapeOf(codeOf(error)), `tsh proxy db: ${messageOf(error)}`) : undefined);
  });
  stream.on('close', () => {
    if (!socket.writableEnded) socket.destroy();
  });
  socket.on('close', () => stream.destroy());
  stream.write(first);
  socket.pipe(stream);
  stream.pipe(socket);
}

function startsRequest(chunk: Buffer): boolean {
  return /^[A-Z]{1,32} \S+ HTTP\/1\.1\r\n/.test(chunk.toString('latin1', 0, 128));
}

/** Reads on for a moment, so that the answer is not lost in the reset that unread bytes would cause. */
function answer(socket: Socket, text: string | undefined): void {
  const LINGER_MS = 1_000;
  socket.unpipe();
  socket.resume();
  if (text === undefined) socket.end();
  else socket.end(text);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof PosternError ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof PosternError ? error.message : 'the connection to the agent broke';
}
