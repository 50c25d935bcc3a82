import { createHash, randomBytes } from 'node:crypto';

import { isChecksumName, startChecksum } from '#checksums/checksum.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { element, elements, textOf } from '#protocols/xml.ts';
import { type Bucket, type StoredObject, type Upload, putStored } from '#s3/buckets.ts';
import { joinedContent } from '#s3/content.ts';

const minPartBytes = 5 * 1024 * 1024;
const maxPartNumber = 10_000;

export function createUpload(bucket: Bucket, key: string, headers: Readonly<Record<string, string>>): Upload {
  const upload: Upload = { id: randomBytes(32).toString('base64url'), key, headers, parts: new Map() };
  bucket.uploads.set(upload.id, upload);
  return upload;
}

export function findUpload(bucket: Bucket, key: string, id: string | undefined): Upload {
  const upload = bucket.uploads.get(id ?? '');
  if (upload === undefined || upload.key !== key)
    throw new AwsError(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      404,
    );
  return upload;
}

export function partNumber(text: string | undefined): number {
  const number = Number(text);
  if (!/^\d{1,5}$/u.test(text ?? '') || number < 1 || number > maxPartNumber)
    throw new AwsError('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
  return number;
}

export async function abortUpload(bucket: Bucket, upload: Upload): Promise<void> {
  bucket.uploads.delete(upload.id);
  await Promise.all([...upload.parts.values()].map((part) => part.content.dispose()));
}

/** Joins the parts that the request lists, in its order; what was uploaded besides is thrown away. Source: S3 API reference. */
export function completeUpload(
  bucket: Bucket,
  upload: Upload,
  { xml, nowMs }: { readonly xml: string; readonly nowMs: number },
): StoredObject {
  const listed = elements(xml, 'Part').map((part) => ({ number: Number(textOf(part, 'PartNumber')), part }));
  if (listed.length === 0)
    throw new AwsError('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
  if (listed.some(({ number }, index) => index > 0 && number <= (listed[index - 1]?.number ?? 0)))
    throw new AwsError(
      'InvalidPartOrder',
      'The list of parts was not in ascending order. The parts list must be specified in order by part number.',
    );
  const parts = listed.map(({ number, part }) => matchingPart(upload, number, part));
  if (parts.slice(0, -1).some(({ content }) => content.size < minPartBytes))
    throw new AwsError('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
  const etags = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex')));
  const object: StoredObject = {
    key: upload.key,
    content: joinedContent(parts.map(({ content }) => content)),
    etag: `${createHash('md5').update(etags).digest('hex')}-${parts.length}`,
    modifiedMs: nowMs,
    headers: upload.headers,
    checksums: compositeChecksum(parts),
  };
  bucket.uploads.delete(upload.id);
  for (const part of upload.parts.values()) if (!parts.includes(part)) void part.content.dispose();
  putStored(bucket, object);
  return object;
}

function matchingPart(upload: Upload, number: number, xml: string): StoredObject {
  const part = upload.parts.get(number);
  const etag = textOf(xml, 'ETag')?.replaceAll('"', '');
  const differs = Object.entries(part?.checksums ?? {}).some(([name, value]) => {
    const said = textOf(xml, `Checksum${name.replace('x-amz-checksum-', '').toUpperCase()}`);
    return said !== undefined && said !== value;
  });
  if (part === undefined || etag !== part.etag || differs)
    throw new AwsError(
      'InvalidPart',
      'One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part.',
    );
  return part;
}

/** A checksum over the parts' checksums, with their number, where all parts have the same one and it is not of the whole object only. */
function compositeChecksum(parts: readonly StoredObject[]): Readonly<Record<string, string>> {
  const field = Object.keys(parts[0]?.checksums ?? {}).find((name) => name !== 'x-amz-checksum-type');
  const name = field?.replace('x-amz-checksum-', '');
  if (field === undefined || name === undefined || name === 'crc64nvme' || !isChecksumName(name)) return {};
  const values = parts.map((part) => part.checksums[field]);
  if (values.includes(undefined)) return {};
  const sum = startChecksum(name);
  for (const value of values) sum.update(Buffer.from(value ?? '', 'base64'));
  return { [field]: `${sum.digest().toString('base64')}-${parts.length}`, 'x-amz-checksum-type': 'COMPOSITE' };
}

export function listedParts(bucket: Bucket, upload: Upload): string {
  const parts = [...upload.parts].sort(([left], [right]) => left - right);
  const shown = parts.map(
    ([number, { etag, content, modifiedMs }]) =>
      `<Part>${element('PartNumber', number)}${element('LastModified', new Date(modifiedMs).toISOString())}${element('ETag', `"${etag}"`)}${element('Size', content.size)}</Part>`,
  );
  return `${element('Bucket', bucket.name)}${element('Key', upload.key)}${element('UploadId', upload.id)}<IsTruncated>false</IsTruncated>${shown.join('')}`;
}
