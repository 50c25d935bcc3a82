import { type RequestHead, headerValues } from '#exchange/request-head.ts';

const kept =
  /^(?:content-type|content-language|content-disposition|content-encoding|cache-control|expires|x-amz-meta-.+|x-amz-website-redirect-location)$/u;

/** The headers that an object keeps, as they stood on the wire; of content-encoding without aws-chunked, which is the wire's own. */
export function objectHeaders(head: RequestHead): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of new Set(head.headers.map(([name]) => name.toLowerCase()))) {
    if (!kept.test(name)) continue;
    const value = headerValues(head, name).join(',');
    const plain = name === 'content-encoding' ? withoutAwsChunked(value) : value;
    if (plain !== '') found[name] = plain;
  }
  return { 'content-type': 'binary/octet-stream', ...found };
}

function withoutAwsChunked(value: string): string {
  return value
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked')
    .join(',');
}
