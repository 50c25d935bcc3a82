import { type RequestHead, splitTarget } from '#exchange/request-head.ts';
import type { Service } from '#exchange/service.ts';
import { AwsError } from '#protocols/aws-error.ts';

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/';

/** Route 53 in REST with XML: ListHostedZones, with one zone. */
export const route53Service: Service = {
  protocol: () => ({ kind: 'rest-xml', namespace }),
  operationOf,
  answer: ({ operation }) => {
    if (operation === '') throw new AwsError('InvalidInput', 'there is no such operation', 404);
    const zone =
      '<HostedZone><Id>/hostedzone/Z1EXAMPLE</Id><Name>example.com.</Name><CallerReference>emulator</CallerReference>' +
      '<ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>';
    const xml =
      `<?xml version="1.0" encoding="UTF-8"?>\n<ListHostedZonesResponse xmlns="${namespace}"><HostedZones>${zone}</HostedZones>` +
      '<IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>';
    return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(xml) };
  },
};

function operationOf(head: RequestHead): string {
  return head.method === 'GET' && splitTarget(head).path === '/2013-04-01/hostedzone' ? 'ListHostedZones' : '';
}
