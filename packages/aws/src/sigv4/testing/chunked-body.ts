import { createHash } from 'node:crypto';

// A client and a server of S3's signed chunks for tests, written from AWS's documentation alone and sharing nothing with the code under
// test: the whole body in memory, one chunk after the other.

export type ChunkedScheme = {
  readonly algorithm: string;
  readonly amzDate: string;
  readonly scope: string;
  readonly seed: string;
};
export type ChunkedBody = { readonly frames: readonly Buffer[]; readonly trailers?: readonly (readonly [string, string])[] };

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

function texts({ algorithm, amzDate, scope }: ChunkedScheme) {
  return {
    chunk: (previous: string, data: Buffer): string =>
      [`${algorithm}-PAYLOAD`, amzDate, scope, previous, sha256(''), sha256(data)].join('\n'),
    trailer: (previous: string, lines: string): string => [`${algorithm}-TRAILER`, amzDate, scope, previous, sha256(lines)].join('\n'),
  };
}

/** `sign` gives the hex signature of a text; `width` is that of a signature on the wire. */
export function chunkedBody(
  scheme: ChunkedScheme,
  body: ChunkedBody,
  signer: { readonly sign: (text: string) => string; readonly width: number },
): Buffer {
  const text = texts(scheme);
  const filled = (signature: string): string => signature.padEnd(signer.width, '*');
  let previous = scheme.seed;
  const parts: Buffer[] = [];
  for (const frame of [...body.frames, Buffer.alloc(0)]) {
    previous = signer.sign(text.chunk(previous, frame));
    parts.push(Buffer.from(`${frame.length.toString(16)};chunk-signature=${filled(previous)}\r\n`), frame);
    if (frame.length > 0) parts.push(Buffer.from('\r\n'));
  }
  if (body.trailers !== undefined) {
    const lines = body.trailers.map(([name, value]) => `${name}:${value}\n`).join('');
    const signature = filled(signer.sign(text.trailer(previous, lines)));
    parts.push(Buffer.from(`${lines.replaceAll('\n', '\r\n')}x-amz-trailer-signature:${signature}\r\n`));
  }
  return Buffer.concat([...parts, Buffer.from('\r\n')]);
}

export type ReceivedBody = { readonly content: Buffer; readonly frameSizes: readonly number[]; readonly trailers: string };

/** Throws where AWS would refuse. `verify` judges a text and a signature without its filling. */
export function receiveChunkedBody(
  scheme: ChunkedScheme,
  wire: Buffer,
  options: { readonly verify: (text: string, signature: string) => boolean; readonly width: number; readonly hasTrailer: boolean },
): ReceivedBody {
  const text = texts(scheme);
  const judge = (words: string, filled: string): string => {
    const signature = filled.replace(/\*+$/, '');
    if (filled.length !== options.width || !options.verify(words, signature)) throw new Error(`wrong signature ${filled}`);
    return signature;
  };
  const content: Buffer[] = [];
  let previous = scheme.seed;
  for (let at = 0; ; ) {
    const lineEnd = wire.indexOf('\r\n', at);
    const [, hex = '', filled = ''] = /^([0-9a-f]+);chunk-signature=(\S+)$/.exec(wire.toString('latin1', at, lineEnd)) ?? [];
    const size = Number.parseInt(hex, 16);
    const data = wire.subarray(lineEnd + 2, lineEnd + 2 + size);
    previous = judge(text.chunk(previous, data), filled);
    at = lineEnd + 2 + size;
    if (size === 0) {
      const rest = wire.toString('latin1', at);
      const frameSizes = content.map((frame) => frame.length);
      if (!options.hasTrailer) {
        if (rest !== '\r\n') throw new Error('bytes behind the last chunk');
        return { content: Buffer.concat(content), frameSizes, trailers: '' };
      }
      const [, lines = '', signature = ''] = /^((?:[^\r\n]+\r\n)*)x-amz-trailer-signature:(\S+)\r\n\r\n$/.exec(rest) ?? [];
      const trailers = lines.replaceAll('\r\n', '\n');
      judge(text.trailer(previous, trailers), signature);
      return { content: Buffer.concat(content), frameSizes, trailers };
    }
    content.push(data);
    if (wire.toString('latin1', at, at + 2) !== '\r\n') throw new Error('no line end behind a chunk');
    at += 2;
  }
}
