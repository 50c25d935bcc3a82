import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { type Dial, MAX_FRAME_BYTES, readAnswer, readDialRequest, writeAnswer, writeDialRequest } from '#reverse/dial-frame.ts';

/** Says nothing of the agent, which may be reached by another way. */
export class LineLost extends Error {}

export interface LineEnd {
  readonly line: Duplex;
  readonly key: Buffer;
}

/**
 * The proxy's end: says a dial on a line and hears the answer; what the agent sends behind it is left in the line. Rejects with the
 * agent's own words where it refused, and with a LineLost where the line is of no use.
 */
export async function dialOverLine({ line, key }: LineEnd, dial: Dial, wait: { agentId: string; signal: AbortSignal }): Promise<void> {
  line.write(Buffer.concat([seal(key, FROM_PROXY, writeDialRequest(dial)), dial.head]));
  const refusal = readAnswer(await readSealed({ line, key }, FROM_AGENT, wait.signal));
  if (refusal !== undefined) throw new PosternError('unavailable', `agent ${wait.agentId} refused: ${refusal}`);
}

/** The agent's end: the dial, whenever it comes. What the client has sent so far is left in the line. */
export async function hearDial(end: LineEnd, signal: AbortSignal): Promise<Omit<Dial, 'head'>> {
  return readDialRequest(await readSealed(end, FROM_PROXY, signal));
}

/** The agent's answer. */
export function answerDial({ line, key }: LineEnd, refusal: string | undefined): void {
  const answer = seal(key, FROM_AGENT, writeAnswer(refusal));
  if (refusal === undefined) line.write(answer);
  else line.end(answer);
}

/*
 * A line has no TLS of its own, and what is said before the session's begins names the client and decides whom it reaches. So it is
 * sealed with the key of the line's token, which only the tunnel has carried: AES-128-GCM, once in each direction, each with a nonce of its own.
 */
const FROM_PROXY = 1;
const FROM_AGENT = 2;
const ALGORITHM = 'aes-128-gcm';
const LENGTH_BYTES = 2;
const TAG_BYTES = 16;

/** Two bytes of length, what is sealed, and its tag. */
function seal(key: Buffer, from: number, bytes: Buffer): Buffer {
  const cipher = createCipheriv(ALGORITHM, key, nonceOf(from));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(sealed.length);
  return Buffer.concat([length, sealed]);
}

async function readSealed({ line, key }: LineEnd, from: number, signal: AbortSignal): Promise<Buffer> {
  const length = (await read(line, LENGTH_BYTES, signal)).readUInt16BE(0);
  if (length < TAG_BYTES || length > MAX_FRAME_BYTES + TAG_BYTES) throw new LineLost('what came on the line is no frame');
  const sealed = await read(line, length, signal);
  const decipher = createDecipheriv(ALGORITHM, key, nonceOf(from)).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new LineLost('what came on the line is not from whom it was expected', { cause });
  }
}

function nonceOf(from: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce[11] = from;
  return nonce;
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
