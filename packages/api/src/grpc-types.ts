import { Metadata, type ServerDuplexStream, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';

export { Metadata };
export interface StatusObject {
  code: number;
  details: string;
  metadata: Metadata;
}
/** From whom a call comes. */
export interface CallOrigin {
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer } };
}
/** A call of raw bytes, as @postern/tunnel serves it beside grpc-js: what the gate needs of it. */
export interface RawServerCall extends CallOrigin {
  readonly metadata: Metadata;
  /** Ends the call, in both directions, with a status other than OK. */
  refuse(status: StatusObject): void;
  /** Once, when the stream is closed, however it came to that. */
  onClose(listener: () => void): void;
}
/** What every kind of server call has in common. */
export type ServerSurfaceCall =
  | RawServerCall
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;
