import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { ERROR_CODE_KEY, errorCodes, grpcStatusOf, PosternError, type StatusObject } from '@postern/api';

const OK = 0;

/** gRPC's trailers for a status (gRPC over HTTP/2, "Responses"). */
export function trailersOf({ code, details, metadata }: StatusObject): OutgoingHttpHeaders {
  return { 'grpc-status': String(code), 'grpc-message': encodeURI(details.toWellFormed()), ...metadata.toHttp2Headers() };
}

export const OK_TRAILERS: OutgoingHttpHeaders = { 'grpc-status': String(OK) };

/** What trailers, or the headers of an answer that is nothing but a status, say: undefined where all went well. */
export function errorIn(headers: IncomingHttpHeaders): PosternError | undefined {
  const status = Number(headers['grpc-status'] ?? Number.NaN);
  if (status === OK) return undefined;
  const sent = headers[ERROR_CODE_KEY];
  const code = errorCodes.find((known) => known === sent) ?? errorCodes.find((known) => grpcStatusOf[known] === status) ?? 'unavailable';
  return new PosternError(code, decoded(headers['grpc-message']) ?? `the call ended with status ${String(headers['grpc-status'])}`);
}

function decoded(message: string | string[] | undefined): string | undefined {
  if (typeof message !== 'string' || message === '') return undefined;
  try {
    return decodeURI(message);
  } catch {
    return message;
  }
}
