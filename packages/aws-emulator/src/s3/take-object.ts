import { createHash } from 'node:crypto';

import { type ChecksumName, checksumNames, isChecksumName, startChecksum } from '#checksums/checksum.ts';
import type { RunningChecksum } from '#checksums/crc-tables.ts';
import { type RequestHead, header } from '#exchange/request-head.ts';
import type { Call, HeadCall, Intake } from '#exchange/service.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import type { Content } from '#s3/content.ts';
import { DiscardingSpool, Spool, type SpoolFolder } from '#s3/spool.ts';

export interface TakenObject {
  readonly content: Content;
  readonly etag: string;
  readonly checksums: Readonly<Record<string, string>>;
}

const maxObjectBytes = 5 * 1024 ** 3;

/**
 * Takes the body of PutObject or UploadPart while it comes, and judges it by everything that was said of it: length, MD5, checksum in
 * a header or in the trailer. `store` is called where all is right. Source: S3 API reference, PutObject.
 */
export function takeObject(call: HeadCall, folder: SpoolFolder, store: (taken: TakenObject) => Answer): Intake {
  const { head } = call;
  const declaredBytes = checkLength(call);
  const named = namedChecksum(head);
  const sums = new Map<string, RunningChecksum>();
  if (named !== undefined) sums.set(named, startChecksum(named));
  const discards = call.mode?.discard === true;
  if (!discards) sums.set('md5', createHash('md5'));
  const spool = discards ? new DiscardingSpool() : new Spool(folder);
  return {
    sink: spool,
    checksums: sums,
    abandon: () => void spool.abandon(),
    answer: async ({ read }) => {
      if (read.bytes !== declaredBytes)
        throw new AwsError('IncompleteBody', 'The request body terminated unexpectedly: it is not as long as it says');
      const checksums = judgeChecksum(head, named, { sums, read });
      const md5 = sums.get('md5')?.digest();
      const wantedMd5 = header(head, 'content-md5');
      if (wantedMd5 !== undefined && md5 !== undefined && wantedMd5 !== md5.toString('base64'))
        throw new AwsError('BadDigest', 'The Content-MD5 you specified did not match what we received.');
      return store({ content: await spool.finish(), etag: md5?.toString('hex') ?? read.sha256.slice(0, 32), checksums });
    },
  };
}

/** The length of the object, which must be known before it comes. Source: S3 API reference, PutObject and "Error responses". */
function checkLength({ head, payload }: HeadCall): number {
  const length = header(head, 'content-length');
  if (payload.kind === 'chunks') {
    const decoded = header(head, 'x-amz-decoded-content-length');
    if (decoded === undefined || !/^\d{1,15}$/u.test(decoded))
      throw new AwsError('MissingContentLength', 'You must provide the x-amz-decoded-content-length HTTP header.', 411);
    return checkSize(Number(decoded));
  }
  if (header(head, 'transfer-encoding') !== undefined)
    throw new AwsError('NotImplemented', 'A header you provided implies functionality that is not implemented', 501, {
      details: { Header: 'Transfer-Encoding' },
    });
  if (length === undefined) throw new AwsError('MissingContentLength', 'You must provide the Content-Length HTTP header.', 411);
  return checkSize(Number(length));
}

function checkSize(bytes: number): number {
  if (bytes > maxObjectBytes)
    throw new AwsError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', 400, {
      details: { ProposedSize: String(bytes), MaxSizeAllowed: String(maxObjectBytes) },
    });
  return bytes;
}

/** The one checksum of a request: in a header, announced for the trailer, or only named. */
function namedChecksum(head: RequestHead): ChecksumName | undefined {
  const names = new Set<string>();
  for (const [name] of head.headers) {
    const end = /^x-amz-checksum-(?<end>\w+)$/iu.exec(name)?.groups?.['end']?.toLowerCase();
    if (end !== undefined && end !== 'algorithm' && end !== 'type') names.add(end);
  }
  const trailer = header(head, 'x-amz-trailer');
  for (const name of trailer === undefined ? [] : trailer.split(','))
    names.add(
      name
        .trim()
        .toLowerCase()
        .replace(/^x-amz-checksum-/u, ''),
    );
  const algorithm = header(head, 'x-amz-sdk-checksum-algorithm')?.toLowerCase();
  if (names.size === 0 && algorithm !== undefined) names.add(algorithm);
  const [name] = names;
  if (name === undefined) return undefined;
  if (names.size > 1)
    throw new AwsError('InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  if (!isChecksumName(name))
    throw new AwsError('InvalidRequest', `The checksum ${name} is not one of ${checksumNames.join(', ')}, which are emulated here.`);
  return name;
}

interface Judging {
  readonly sums: ReadonlyMap<string, RunningChecksum>;
  readonly read: Call['read'];
}

function judgeChecksum(head: RequestHead, name: ChecksumName | undefined, { sums, read }: Judging): Readonly<Record<string, string>> {
  const announced = header(head, 'x-amz-trailer')?.trim().toLowerCase();
  const unannounced = [...read.trailer.keys()].find((line) => line !== announced);
  if (unannounced !== undefined || (announced !== undefined && !read.trailer.has(announced)))
    throw new AwsError(
      'MalformedTrailerError',
      'The request contained trailing data that was not well-formed or did not conform to our published schema.',
    );
  if (name === undefined) return {};
  const field = `x-amz-checksum-${name}`;
  const calculated = sums.get(name)?.digest().toString('base64') ?? '';
  const given = read.trailer.get(field) ?? header(head, field);
  if (given !== undefined && given !== calculated)
    throw new AwsError('BadDigest', `The ${name.toUpperCase()} you specified did not match the calculated checksum.`);
  return { [field]: calculated, 'x-amz-checksum-type': 'FULL_OBJECT' };
}
