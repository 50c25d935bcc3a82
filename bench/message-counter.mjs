// Counts whole HTTP/1.1 messages with a Content-Length in a stream of bytes, at next to no cost: what drives and what answers the
// load must not be what is measured. Not a parser to be let near a stranger.
const END_OF_HEAD = Buffer.from('\r\n\r\n');

export class MessageCounter {
  #pending;
  #missing = 0;
  #head = '';
  #onMessage;

  /** `onMessage` gets the head of each message, once its last byte has come, and whether it was the first byte's chunk that held it all. */
  constructor(onMessage) {
    this.#onMessage = onMessage;
  }

  take(chunk) {
    let bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = undefined;
    while (bytes.length > 0) {
      if (this.#missing === 0) {
        const at = bytes.indexOf(END_OF_HEAD);
        if (at < 0) {
          this.#pending = bytes;
          return;
        }
        this.#head = bytes.toString('latin1', 0, at);
        const length = /\r\ncontent-length: ?(\d+)/i.exec(this.#head);
        if (length === null) throw new Error(`a message without Content-Length: ${this.#head.slice(0, 200)}`);
        this.#missing = Number(length[1]);
        bytes = bytes.subarray(at + END_OF_HEAD.length);
      }
      const taken = Math.min(this.#missing, bytes.length);
      this.#missing -= taken;
      bytes = bytes.subarray(taken);
      if (this.#missing > 0) return;
      this.#onMessage(this.#head);
    }
  }
}
