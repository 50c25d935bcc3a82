import type { Duplex } from 'node:stream';

const RECORD_HEADER = 5;
const APPLICATION_DATA = 23;

/**
 * Calls `over` once a TLS handshake that passes through here is done, as far as somebody who cannot read it may know: the server has
 * sent an encrypted record, the client has answered, and the server has sent another one. A server that waits for the client's part
 * says nothing more until it has come, and one that refuses it closes; a HelloRetryRequest is not encrypted (RFC 8446, 4.1.4).
 */
export function onHandshakeOver(client: Duplex, server: Duplex, over: () => void): void {
  let stage: 'hello' | 'server spoke' | 'client answered' = 'hello';
  const records = new RecordTypes();
  const onClient = () => {
    if (stage === 'server spoke') stage = 'client answered';
  };
  const onServer = (bytes: Buffer) => {
    if (!records.begins(APPLICATION_DATA, bytes)) return;
    if (stage === 'hello') stage = 'server spoke';
    if (stage !== 'client answered') return;
    client.off('data', onClient);
    server.off('data', onServer);
    over();
  };
  client.on('data', onClient);
  server.on('data', onServer);
}

/** Follows the headers of TLS records through a stream of bytes. */
class RecordTypes {
  #header = Buffer.alloc(0);
  #left = 0;

  /** True where a record of this type begins in these bytes. */
  begins(type: number, bytes: Buffer): boolean {
    let found = false;
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at);
        this.#left -= step;
        at += step;
        continue;
      }
      const part = bytes.subarray(at, at + RECORD_HEADER - this.#header.length);
      this.#header = Buffer.concat([this.#header, part]);
      at += part.length;
      if (this.#header.length < RECORD_HEADER) break;
      if (this.#header[0] === type) found = true;
      this.#left = this.#header.readUInt16BE(3);
      this.#header = Buffer.alloc(0);
    }
    return found;
  }
}
