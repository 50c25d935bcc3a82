import { connect } from 'node:net';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** POST, https, `/` from the static table, and an authority of one letter. */
const HEAD = Buffer.concat([Buffer.from([0x83, 0x87, 0x84, 0x41, 1]), Buffer.from('h')]);
const FRAMES = { headers: 1, reset: 3, settings: 4, goaway: 7 } as const;
const END_HEADERS = 4;

export interface RawHttp2 {
  /** Sends the head of a stream; a body is to follow. */
  open(id: number): void;
  reset(id: number): void;
  /** The code of the first GOAWAY that came. */
  readonly goaway: () => number | undefined;
  readonly isClosed: () => boolean;
  destroy(): void;
}

/** A client that does as it likes: frames are written as they are, whatever the server's settings say. */
export function rawHttp2(port: number): RawHttp2 {
  const socket = connect(port, '127.0.0.1');
  let goaway: number | undefined;
  let closed = false;
  let rest = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('close', () => (closed = true));
  socket.on('data', (piece) => {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      if (rest[3] === FRAMES.goaway) goaway ??= rest.readUInt32BE(13);
      rest = rest.subarray(9 + length);
    }
  });
  socket.write(Buffer.concat([PREFACE, frame(FRAMES.settings, 0, 0, Buffer.alloc(0))]));
  return {
    open: (id) => void socket.write(frame(FRAMES.headers, END_HEADERS, id, HEAD)),
    reset: (id) => void socket.write(frame(FRAMES.reset, 0, id, Buffer.from([0, 0, 0, 8]))),
    goaway: () => goaway,
    isClosed: () => closed,
    destroy: () => socket.destroy(),
  };
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}
