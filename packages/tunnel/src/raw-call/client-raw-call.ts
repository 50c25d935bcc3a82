import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { PosternError } from '@postern/api';
import type { ReceiveWindow } from '#raw-call/receive-window.ts';
import { RawCall } from '#raw-call/raw-call.ts';
import { errorIn } from '#raw-call/status.ts';

const HTTP_OK = 200;

/** The end that opened the call. */
export class ClientRawCall extends RawCall {
  #status: IncomingHttpHeaders | undefined;
  #refused: PosternError | undefined;

  readonly #onConnectionBroken: (error: Error) => void;

  constructor(stream: ClientHttp2Stream, window: ReceiveWindow, onConnectionBroken: (error: Error) => void) {
    super(stream, window);
    this.#onConnectionBroken = onConnectionBroken;
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) this.#status = headers;
      else if (headers[':status'] !== HTTP_OK)
        this.#refused = new PosternError('unavailable', `what answered is no gRPC server: HTTP status ${headers[':status']}`);
    });
    stream.on('trailers', (headers) => {
      this.#status = headers;
    });
  }

  override end(): void {
    this.stream.end();
  }

  override fail(): void {
    this.reset();
  }

  /** Node (24) tells a failed write to the streams of the batch and to nobody else: the session would seem to stand. */
  protected override broke(error: NodeJS.ErrnoException): void {
    if (error.syscall === 'write' && error.code !== 'ECANCELED') this.#onConnectionBroken(error);
  }

  protected override outcome(): PosternError | undefined {
    return this.#status === undefined ? this.#refused : errorIn(this.#status);
  }
}
