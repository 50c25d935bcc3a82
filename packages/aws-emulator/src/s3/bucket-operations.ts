import type { Call } from '#exchange/service.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { element, elements, escapeXml, textOf } from '#protocols/xml.ts';
import { emptyAnswer, xmlAnswer, xmlText } from '#s3/answers.ts';
import type { Buckets } from '#s3/buckets.ts';
import { listObjects } from '#s3/list-objects.ts';

export interface BucketTarget {
  readonly buckets: Buckets;
  readonly name: string | undefined;
  readonly query: ReadonlyMap<string, string>;
}

/** Operations on buckets, and ListBuckets. */
export function answerBucket(call: Call, { buckets, name, query }: BucketTarget): Answer {
  if (name === undefined) return listBuckets(buckets);
  switch (call.operation) {
    case 'CreateBucket':
      return createBucket(call, buckets, name);
    case 'DeleteBucket':
      buckets.delete(name);
      return emptyAnswer(204);
    case 'HeadBucket':
      return emptyAnswer(200, { 'x-amz-bucket-region': buckets.get(name).region });
    case 'GetBucketLocation': {
      const { region } = buckets.get(name);
      return xmlAnswer('LocationConstraint', region === 'us-east-1' ? '' : region);
    }
    case 'ListObjects':
    case 'ListObjectsV2':
      return xmlText(listObjects(buckets.get(name), query));
    case 'ListMultipartUploads': {
      const uploads = [...buckets.get(name).uploads.values()].map(
        ({ id, key }) => `<Upload>${element('Key', key)}${element('UploadId', id)}</Upload>`,
      );
      return xmlAnswer('ListMultipartUploadsResult', `${element('Bucket', name)}<IsTruncated>false</IsTruncated>${uploads.join('')}`);
    }
    case 'DeleteObjects':
      return deleteObjects(call, buckets, name);
    default:
      throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
  }
}

function listBuckets(buckets: Buckets): Answer {
  const shown = buckets
    .all()
    .map(({ name, createdMs }) => `<Bucket>${element('Name', name)}${element('CreationDate', new Date(createdMs).toISOString())}</Bucket>`);
  return xmlAnswer('ListAllMyBucketsResult', `<Owner><ID>owner</ID></Owner><Buckets>${shown.join('')}</Buckets>`);
}

function createBucket({ region, body, nowMs }: Call, buckets: Buckets, name: string): Answer {
  const constraint = textOf(body.toString('utf8'), 'LocationConstraint');
  if ((constraint ?? 'us-east-1') !== region)
    throw new AwsError(
      'IllegalLocationConstraintException',
      `The ${constraint ?? 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    );
  buckets.create(name, region, nowMs);
  return emptyAnswer(200, { location: `/${name}` });
}

function deleteObjects({ body }: Call, buckets: Buckets, name: string): Answer {
  const xml = body.toString('utf8');
  const keys = elements(xml, 'Object').map((object) => textOf(object, 'Key') ?? '');
  if (keys.length === 0 || keys.length > 1000)
    throw new AwsError('MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
  const { objects } = buckets.get(name);
  for (const key of keys) {
    void objects.get(key)?.content.dispose();
    objects.delete(key);
  }
  const quiet = textOf(xml, 'Quiet') === 'true';
  return xmlAnswer('DeleteResult', quiet ? '' : keys.map((key) => `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`).join(''));
}
