import { type Client, type ClientDuplexStream, type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type ErrorCode, errorCodes, grpcStatusOf, PosternError } from '#errors.ts';
import { ERROR_CODE_KEY } from '#status.ts';

interface Method<Req, Res> {
  readonly path: string;
  readonly requestSerialize: (value: Req) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Res;
}
export interface CallOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Metadata;
}
const DEFAULT_DEADLINE_MS = 15_000;

/** One request, one answer; rejects with a PosternError whatever went wrong. */
export function callUnary<Req, Res>(client: Client, method: Method<Req, Res>, request: Req, options: CallOptions = {}): Promise<Res> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      options.metadata ?? new Metadata(),
      { deadline: Date.now() + (options.deadlineMs ?? DEFAULT_DEADLINE_MS) },
      (error, value) => (error ? reject(fromServiceError(error)) : value === undefined ? reject(noAnswer(method.path)) : resolve(value)),
    );
  });
}

/** One request, many answers; ends when the server ends or `signal` is aborted. */
export async function* callStream<Req, Res>(
  client: Client,
  method: Method<Req, Res>,
  request: Req,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<Res> {
  const stream: ClientReadableStream<Res> = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
  );
  const cancel = () => stream.cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const answer of stream) yield answer as Res;
  } catch (error) {
    if (options.signal?.aborted) return;
    throw fromServiceError(error as ServiceError);
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    stream.cancel();
  }
}

export function openDuplex<Req, Res>(client: Client, method: Method<Req, Res>, options: CallOptions = {}): ClientDuplexStream<Req, Res> {
  return client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, options.metadata ?? new Metadata());
}

/** Our own code from the trailer where the server sent one, else the nearest to gRPC's status. */
export function fromServiceError(error: ServiceError): PosternError {
  const sent = error.metadata?.get(ERROR_CODE_KEY)[0];
  const known = errorCodes.find((code) => code === sent);
  return new PosternError(known ?? nearest(error.code), error.details || error.message, { cause: error });
}

/** Whether who was asked has said this, and not the way there. */
export function wasAnswered({ cause }: PosternError): boolean {
  const { metadata } = (cause ?? {}) as Partial<ServiceError>;
  return metadata instanceof Metadata && metadata.get(ERROR_CODE_KEY).length > 0;
}

function nearest(status: number): ErrorCode {
  const DEADLINE_EXCEEDED = 4;
  if (status === DEADLINE_EXCEEDED) return 'unavailable';
  return errorCodes.find((code) => grpcStatusOf[code] === status) ?? 'internal';
}

function noAnswer(path: string): PosternError {
  return new PosternError('internal', `${path} ended without an answer`);
}
