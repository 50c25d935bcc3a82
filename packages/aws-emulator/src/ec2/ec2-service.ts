import type { Service } from '#exchange/service.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { actionOf, queryParameters } from '#protocols/query.ts';
import { element } from '#protocols/xml.ts';

const regions = ['eu-west-1', 'us-east-1', 'us-west-2'];

/** EC2 in its own protocol: DescribeRegions. */
export const ec2Service: Service = {
  protocol: () => ({ kind: 'ec2' }),
  operationOf: (head, _, body) => actionOf(head, body),
  answer: ({ head, body, operation, requestId }) => {
    const parameters = queryParameters(head, body);
    if (operation !== 'DescribeRegions') throw new AwsError('InvalidAction', `The action ${operation} is not valid for this web service.`);
    if (parameters.get('Version') !== '2016-11-15') throw new AwsError('InvalidParameterValue', 'Version must be 2016-11-15');
    const items = regions.map(
      (region) => `<item>${element('regionName', region)}${element('regionEndpoint', `ec2.${region}.amazonaws.com`)}</item>`,
    );
    const xml = `<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${element('requestId', requestId)}<regionInfo>${items.join('')}</regionInfo></DescribeRegionsResponse>`;
    return { status: 200, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(xml) };
  },
  logged: ({ head, body }) => ({ parameters: Object.fromEntries(queryParameters(head, body)) }),
};
