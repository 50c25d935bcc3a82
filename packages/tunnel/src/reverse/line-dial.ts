import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { type Dial, MAX_ANSWER_BYTES, readAnswer, readDialLength, readDialRequest, writeAnswer, writeDial } from '#reverse/dial-frame.ts';

const LENGTH_BYTES = 4;

/** Says nothing of the agent, which may be reached by another way. */
export class LineLost extends Error {}

/**
 * The proxy's end: says a dial on a line and hears the answer; what the agent sends behind it is left in the line. Rejects with the
 * agent's own words where it refused, and with a LineLost where the line is of no use.
 */
export async function dialOverLine(line: Duplex, dial: Dial, { agentId, signal }: { agentId: string; signal: AbortSignal }): Promise<void> {
  line.write(writeDial(dial));
  const answer = await read(line, 1, signal);
  if (answer.equals(writeAnswer())) return;
  throw new PosternError('unavailable', `agent ${agentId} refused: ${readAnswer(Buffer.concat([answer, await rest(line, signal)])) ?? ''}`);
}

/** The agent's end: the dial, whenever it comes. What the client has sent so far is left in the line. */
export async function hearDial(line: Duplex, signal: AbortSignal): Promise<Omit<Dial, 'head'>> {
  const length = readDialLength(await read(line, LENGTH_BYTES, signal));
  return readDialRequest(await read(line, length, signal));
}

/** The agent's answer. */
export function answerDial(line: Duplex, refusal: string | undefined): void {
  if (refusal === undefined) line.write(writeAnswer());
  else line.end(writeAnswer(refusal));
}

/** What the other end says before it ends the line: a reason, which is short. */
async function rest(line: Duplex, signal: AbortSignal): Promise<Buffer> {
  const end = () => void line.destroy();
  signal.addEventListener('abort', end, { once: true });
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of line as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > MAX_ANSWER_BYTES) break;
    }
  } catch (cause) {
    throw new LineLost('the line was closed', { cause });
  } finally {
    signal.removeEventListener('abort', end);
  }
  return Buffer.concat(parts);
}

/** So many bytes and not one more. Rejects where the line ends before, or the signal is aborted. */
function read(line: Duplex, bytes: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      line.off('readable', look).off('end', lost).off('close', lost);
      signal.removeEventListener('abort', late);
    };
    const fail = (reason: string) => {
      settle();
      reject(new LineLost(reason));
    };
    const lost = () => fail('the line was closed');
    const late = () => fail('nothing came on the line in time');
    const look = () => {
      const got = line.read(bytes) as Buffer | null;
      if (got === null) return;
      if (got.length < bytes) return lost();
      settle();
      resolve(got);
    };
    line.on('readable', look).once('end', lost).once('close', lost);
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) late();
    else if (line.destroyed || line.readableEnded) lost();
    else look();
  });
}
