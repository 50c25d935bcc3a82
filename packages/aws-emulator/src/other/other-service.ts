import { type RequestHead, header, hostOf, mediaType } from '#exchange/request-head.ts';
import type { Service } from '#exchange/service.ts';
import type { Protocol } from '#protocols/error-answer.ts';
import { actionOf } from '#protocols/query.ts';

/**
 * Any service of AWS that is not emulated: its requests are verified and logged as all others, and the answer is empty, in its own
 * protocol. So a request of any service can be compared byte for byte with what its client sent.
 */
export const otherService: Service = {
  protocol: protocolOf,
  operationOf: (head, _, body) => {
    const target = header(head, 'x-amz-target');
    return target === undefined ? actionOf(head, body) : (target.split('.').at(-1) ?? '');
  },
  maxBodyBytes: 256 * 1024 * 1024,
  answer: ({ head, operation, requestId }) => {
    const { kind } = protocolOf(head);
    if (kind === 'json' || kind === 'rest-json')
      return { status: 200, headers: { 'content-type': kind === 'json' ? mediaType(head) : 'application/json' }, body: Buffer.from('{}') };
    if (operation === '') return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from('<Response></Response>') };
    const body = `<${operation}Response><${operation}Result></${operation}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation}Response>`;
    return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
  },
};

/** Hosts whose services speak XML without being asked in the query protocol. */
const restXml: readonly (readonly [RegExp, Protocol])[] = [
  [/(?:^|\.)s3-control[.-]/u, { kind: 's3' }],
  [/^cloudfront\./u, { kind: 'rest-xml', namespace: 'http://cloudfront.amazonaws.com/doc/2020-05-31/' }],
];

function protocolOf(head: RequestHead): Protocol {
  const xml = restXml.find(([host]) => host.test(hostOf(head)));
  if (xml !== undefined) return xml[1];
  if (header(head, 'x-amz-target') !== undefined) return { kind: 'json', contentType: mediaType(head) };
  const form = mediaType(head) === 'application/x-www-form-urlencoded' || /[?&]Action=/u.test(head.target);
  return form ? { kind: 'query', namespace: 'https://amazonaws.com/doc/' } : { kind: 'rest-json' };
}
