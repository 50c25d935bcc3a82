import { connect } from 'node:net';
import { type Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { AgentSession, openDuplex } from '@postern/api';

/** What bytes got back, and whether the far end closed behind its answer. */
export interface Exchanged {
  readonly text: string;
  readonly isClosed: boolean;
}

/** Answers are short; what is not there and not closed by then is waiting for more. */
const QUIET_MS = 5_000;
const SECOND_ANSWER_MS = 60;

/** Bytes to the port of tsh. */
export function throughTsh(port: number, bytes: Buffer): Promise<Exchanged> {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  return exchanged(socket);
}

/** The same bytes past tsh: on a stream of a session that its holder opened himself. */
export function throughStream(client: Client, port: number, bytes: Buffer): Promise<Exchanged> {
  const metadata = new Metadata();
  metadata.set('postern-local-port', String(port));
  const stream: ClientDuplexStream<Buffer, Buffer> = openDuplex(client, AgentSession.connect, { metadata });
  const answer = exchanged(stream);
  for (let at = 0; at < bytes.length; at += 32_768) stream.write(bytes.subarray(at, at + 32_768));
  return answer;
}

interface Readable {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error' | 'end' | 'close', listener: () => void): unknown;
  destroy(): unknown;
}

/** Everything that comes until the far end closes, or has said all that it has to say. */
export function exchanged(from: Readable): Promise<Exchanged> {
  return new Promise((resolve) => {
    let text = '';
    let timer = setTimeout(() => settle(false), QUIET_MS);
    const settle = (isClosed: boolean) => {
      clearTimeout(timer);
      resolve({ text, isClosed });
      from.destroy();
    };
    from.on('data', (chunk) => {
      // On a stream of a session an empty message says: no more bytes from this side.
      if (chunk.length === 0) return settle(true);
      text += chunk.toString('latin1');
      // One that says it stays open is waited for a moment: a second answer would come at once.
      if (!isWhole(text) || /^connection: close\r$/im.test(text)) return;
      clearTimeout(timer);
      timer = setTimeout(() => settle(false), SECOND_ANSWER_MS);
    });
    from.on('error', () => settle(true));
    from.on('end', () => settle(true));
    from.on('close', () => settle(true));
  });
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /^content-length: (\d+)\r$/im.exec(text)?.[1];
  return end >= 0 && length !== undefined && text.length >= end + 4 + Number(length);
}

/** How many answers stand in what came back. */
export const answersIn = (text: string) => text.split(/HTTP\/1\.[01] (?=\d{3} )/).length - 1;
export const statusOf = (text: string) => Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
