/** Bytes that are no HTTP/1.1 as it is spoken here. The message may be shown; nothing that follows on the connection can be trusted. */
export class HttpFault extends Error {
  /** What a server answers: 400, 405, 408 or 431. */
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.name = 'HttpFault';
    this.status = status;
  }
}
