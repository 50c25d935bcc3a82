const END_OF_HEAD = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 64 * 1024;
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3}) /;
const INTERIM = /^HTTP\/1\.[01] 1\d\d /;
const CONTENT_LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)/i;

/**
 * Knows whether the bytes that came so far end with a whole answer: only there may an answer of our own follow. What it cannot
 * measure, such as a chunked body, it takes for an answer that never ends.
 */
export class AnswerBoundaries {
  #missingBodyBytes = 0;
  #partOfHead: Buffer | undefined;
  /** Answers whose head has come, interim ones (1xx) aside. */
  finals = 0;
  /** One of them said that the connection ends with it. */
  announcedClose = false;

  /** HEAD was asked: the length of its answer is that of a body which does not come (RFC 9110, 9.3.2), and from here on nothing is known. */
  loseTrack(): void {
    this.#missingBodyBytes = Number.POSITIVE_INFINITY;
  }

  /** Nothing of an answer is under way. */
  get between(): boolean {
    return this.#missingBodyBytes === 0 && this.#partOfHead === undefined;
  }

  take(chunk: Buffer): void {
    let bytes = chunk;
    while (bytes.length > 0) {
      if (this.#missingBodyBytes > 0) {
        const taken = Math.min(this.#missingBodyBytes, bytes.length);
        this.#missingBodyBytes -= taken;
        bytes = bytes.subarray(taken);
        continue;
      }
      if (this.#partOfHead !== undefined) bytes = Buffer.concat([this.#partOfHead, bytes]);
      const at = bytes.indexOf(END_OF_HEAD);
      this.#partOfHead = at < 0 ? bytes : undefined;
      if (at >= 0) this.#begin(bytes.toString('latin1', 0, at));
      else if (bytes.length > MAX_HEAD_BYTES) this.#missingBodyBytes = Number.POSITIVE_INFINITY;
      if (at < 0) return;
      bytes = bytes.subarray(at + END_OF_HEAD.length);
    }
  }

  #begin(head: string): void {
    this.#missingBodyBytes = bodyBytes(head);
    if (INTERIM.test(head)) return;
    this.finals += 1;
    if (/\r\nconnection:[^\r\n]*close/i.test(head)) this.announcedClose = true;
  }
}

/** RFC 9112, 6.3. An interim answer (1xx) has no body. */
function bodyBytes(head: string): number {
  const [, status] = STATUS_LINE.exec(head) ?? [];
  if (status === '204' || status === '304' || status?.startsWith('1') === true) return 0;
  const [, length] = CONTENT_LENGTH.exec(head) ?? [];
  return status === undefined || length === undefined || /\r\ntransfer-encoding:/i.test(head) ? Number.POSITIVE_INFINITY : Number(length);
}
