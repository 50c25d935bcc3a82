import type { Duplex } from 'node:stream';
import type { ServiceError } from '@grpc/grpc-js';
import { fromServiceError, PosternError } from '@postern/api';
import { type ByteCall, byteStream } from '#byte-stream.ts';
import { resetServerCall } from '#grpc-internals.ts';
import { type Dial, readAnswer, writeDial } from '#reverse/dial-frame.ts';

export interface SpeakDialOptions {
  readonly agentId: string;
  readonly dial: Dial;
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** Says a dial on a Carry stream and hears the answer; a stream that is not accepted is reset. */
export async function speakDial(call: ByteCall, options: SpeakDialOptions): Promise<Duplex> {
  const { agentId, signal } = options;
  try {
    const answer = firstMessage(call, signal, `agent ${agentId}`);
    call.write(writeDial(options.dial));
    const refusal = readAnswer(await answer);
    if (refusal !== undefined) throw new PosternError('unavailable', `agent ${agentId} refused: ${refusal}`);
  } catch (error) {
    call.on('error', () => undefined);
    if ('cancel' in call) call.cancel();
    else resetServerCall(call);
    throw error;
  }
  return byteStream(call, { stallMs: options.stallMs });
}

/** The next message of a stream that is left paused after it; rejects where the stream ends or the signal is aborted first. */
export function firstMessage(call: ByteCall, signal: AbortSignal, from: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (error?: Error) => finish(() => reject(reasonOf(error) ?? new PosternError('unavailable', `${from} closed the stream`)));
    // A client learns the reason with the status, which follows the end of its messages.
    const ended = () => void setImmediate(fail);
    const late = () => finish(() => reject(new PosternError('unavailable', `${from} did not answer in time`)));
    const take = (message: Buffer) => finish(() => resolve(message));
    const finish = (settle: () => void) => {
      call.pause();
      call.off('data', take).off('cancelled', ended).off('close', ended).off('end', ended).off('error', fail);
      signal.removeEventListener('abort', late);
      settle();
    };
    call.on('data', take).once('cancelled', ended).once('close', ended).once('end', ended).once('error', fail);
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) late();
  });
}

/** The words of a peer that answered with a status; a stream that was cut has none of its own. */
function reasonOf(error: Error | undefined): PosternError | undefined {
  return error && 'code' in error && 'details' in error && 'metadata' in error ? fromServiceError(error as ServiceError) : undefined;
}
