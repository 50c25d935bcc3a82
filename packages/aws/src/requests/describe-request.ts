import type { AwsRequest, RequestBody, RequestHead } from '#requests/aws-request.ts';
import type { Refusal } from '#refusals/refusal.ts';

/** How many bytes of the body describeRequest and capDurations need to see; 0 for all but forms and what hands out credentials. */
export type BodyWanted = (head: RequestHead) => number;
export type DescribeRequest = (head: RequestHead, body?: RequestBody) => AwsRequest | Refusal;
