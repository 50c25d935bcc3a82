/** What became of a request. `unknown` is said wherever AWS may have acted and its answer was not seen whole. */
export type Outcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly awsRequestId: string;
      readonly bytes: number;
      readonly consumedCapacity?: unknown;
    }
  | { readonly kind: 'unknown'; readonly reason: string; readonly status?: number; readonly awsRequestId: string; readonly bytes: number }
  | { readonly kind: 'not_sent'; readonly reason: string };

/** As the fields of the event that tells it. */
export function outcomeFields(outcome: Outcome): Readonly<Record<string, unknown>> {
  if (outcome.kind === 'not_sent') return { outcome: 'not_sent', status_code: 0, error: outcome.reason };
  const seen = { aws_request_id: outcome.awsRequestId, bytes: outcome.bytes };
  if (outcome.kind === 'unknown') return { outcome: 'unknown', status_code: outcome.status ?? 0, error: outcome.reason, ...seen };
  return {
    outcome: 'answered',
    status_code: outcome.status,
    ...seen,
    ...(outcome.consumedCapacity === undefined ? {} : { consumed_capacity: outcome.consumedCapacity }),
  };
}
