import { grpcStatusOf, type PosternError } from '#errors.ts';
import { Metadata, type StatusObject } from '#grpc-types.ts';

/** The metadata key that carries our own code beside gRPC's coarser one. */
export const ERROR_CODE_KEY = 'postern-error';

/** A message that repeats what a caller sent may be as long as that was; past the peer's limit for headers nothing of the answer arrives. */
const MAX_DETAILS_LENGTH = 4_096;

export function statusOf(error: PosternError): StatusObject {
  const metadata = new Metadata();
  metadata.set(ERROR_CODE_KEY, error.code);
  const { message } = error;
  const details = message.length > MAX_DETAILS_LENGTH ? `${message.slice(0, MAX_DETAILS_LENGTH).toWellFormed()}…` : message;
  return { code: grpcStatusOf[error.code], details, metadata };
}
