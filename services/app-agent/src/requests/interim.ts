import {
  type AwsProtocol,
  type AwsRefusal,
  type AwsRefusalInput,
  type AwsRequest,
  type AwsTarget,
  awsTarget,
  type EndpointHostInput,
  type Refusal,
} from '@postern/aws';
type RequestHead = { headers: readonly string[]; service: string };
const get = (h: RequestHead, name: string) => {
  for (let i = 0; i < h.headers.length; i += 2) if (h.headers[i]?.toLowerCase() === name) return h.headers[i + 1];
  return undefined;
};
export function bodyWanted(h: RequestHead): number {
  return get(h, 'content-type')?.startsWith('application/x-www-form-urlencoded') ? 1e6 : 0;
}
export function describeRequest(h: RequestHead): AwsRequest | Refusal {
  const t = get(h, 'x-amz-target');
  if (t !== undefined)
    return {
      protocol: get(h, 'content-type') === 'application/x-amz-json-1.0' ? 'json-1.0' : 'json-1.1',
      operation: t.slice(t.lastIndexOf('.') + 1),
    };
  if (bodyWanted(h)) return { protocol: 'query' };
  return { protocol: h.service === 's3' ? 's3' : 'rest-json' };
}
export function endpointHost(i: EndpointHostInput): AwsTarget | Refusal {
  return awsTarget({ host: `${i.service}.${i.region}.amazonaws.com`, scope: { service: i.service, region: i.region } });
}
export function awsRefusal(i: AwsRefusalInput): AwsRefusal {
  const protocol: AwsProtocol = i.protocol;
  const status = i.kind === 'unavailable' ? 503 : i.kind === 'too_large' ? 413 : i.kind === 'bad_request' ? 400 : 403;
  const xml = protocol === 's3' || protocol === 'query' || protocol === 'ec2' || protocol === 'rest-xml';
  const body = Buffer.from(
    xml ? `<Error><Code>${i.kind}</Code><Message>${i.message}</Message></Error>` : JSON.stringify({ __type: i.kind, message: i.message }),
  );
  return {
    status,
    headers: ['content-type', xml ? 'text/xml' : 'application/json', 'content-length', String(body.length), 'x-kind', i.kind],
    body,
  };
}
