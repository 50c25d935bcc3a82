import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { byteStream } from '#byte-stream.ts';
import { firstMessage, type RawCall } from '#raw-call/raw-call.ts';
import { type Dial, readAnswer, writeDial } from '#reverse/dial-frame.ts';

export interface SpeakDialOptions {
  readonly agentId: string;
  readonly dial: Dial;
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** Says a dial on a Carry stream and hears the answer; a stream that is not accepted is reset. */
export async function speakDial(call: RawCall, options: SpeakDialOptions): Promise<Duplex> {
  const { agentId, signal } = options;
  try {
    const answer = firstMessage(call, signal, `agent ${agentId}`);
    call.write(writeDial(options.dial));
    const refusal = readAnswer(await answer);
    if (refusal !== undefined) throw new PosternError('unavailable', `agent ${agentId} refused: ${refusal}`);
  } catch (error) {
    call.reset();
    throw error;
  }
  return byteStream(call, { stallMs: options.stallMs });
}
