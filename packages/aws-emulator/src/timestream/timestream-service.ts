import { hostOf } from '#exchange/request-head.ts';
import type { Service } from '#exchange/service.ts';
import { otherService } from '#other/other-service.ts';
import { AwsError } from '#protocols/aws-error.ts';

/**
 * Timestream's hosts tell where its cells are, and do nothing else: whoever does not ask is sent away. The cells answer as any other service.
 * Source: Timestream developer guide, "The endpoint discovery pattern".
 */
export const timestreamService: Service = {
  ...otherService,
  answer: ({ head, operation }) => {
    if (operation !== 'DescribeEndpoints') throw new AwsError('InvalidEndpointException', 'The requested endpoint was not valid.', 421);
    const body = { Endpoints: [{ Address: hostOf(head).replace(/^(\w+)/u, '$1-cell1'), CachePeriodInMinutes: 60 }] };
    return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(JSON.stringify(body)) };
  },
};
