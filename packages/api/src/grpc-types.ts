import { Metadata, type ServerDuplexStream, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';

export { Metadata };
export interface StatusObject {
  code: number;
  details: string;
  metadata: Metadata;
}
/** What every kind of server call has in common. */
export type ServerSurfaceCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;
