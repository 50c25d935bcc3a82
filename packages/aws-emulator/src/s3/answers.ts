import type { Answer } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import type { StoredObject } from '#s3/buckets.ts';

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

export function xmlAnswer(root: string, inner: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return xmlText(`<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${namespace}">${inner}</${root}>`, headers);
}

export function xmlText(text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: Buffer.from(text) };
}

export function emptyAnswer(status: 200 | 204, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

/** What a copy or a completed upload says of itself: ETag and checksum, as elements. */
export function resultElements({ etag, modifiedMs, checksums }: StoredObject): string {
  const sums = Object.entries(checksums).map(([name, value]) => {
    const end = name.replace('x-amz-checksum-', '');
    return element(end === 'type' ? 'ChecksumType' : `Checksum${end.toUpperCase()}`, value);
  });
  return `${element('LastModified', new Date(modifiedMs).toISOString())}${element('ETag', `"${etag}"`)}${sums.join('')}`;
}
