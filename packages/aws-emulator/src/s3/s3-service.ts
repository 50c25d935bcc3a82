import { header } from '#exchange/request-head.ts';
import type { Call, HeadCall, Intake, Service } from '#exchange/service.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { type S3Address, s3Address } from '#s3/address.ts';
import { emptyAnswer } from '#s3/answers.ts';
import { answerBucket } from '#s3/bucket-operations.ts';
import { type Bucket, Buckets, putStored } from '#s3/buckets.ts';
import { answerObject } from '#s3/object-operations.ts';
import { checkConditions } from '#s3/get-object.ts';
import { findUpload, partNumber } from '#s3/multipart.ts';
import { withHoistedHeaders } from '#s3/hoisted-headers.ts';
import { objectHeaders } from '#s3/object-headers.ts';
import { s3OperationOf } from '#s3/operation-of.ts';
import { SpoolFolder } from '#s3/spool.ts';
import { subresource } from '#s3/subresources.ts';
import { takeObject } from '#s3/take-object.ts';

const maxXmlBytes = 2 * 1024 * 1024;

/** S3 over all regions: what it refuses it refuses before the body, and what it stores it stores only when the whole body was right. */
export class S3 {
  readonly buckets = new Buckets();
  readonly #folder = new SpoolFolder();

  close(): Promise<void> {
    return this.#folder.remove();
  }

  readonly service: Service = {
    protocol: () => ({ kind: 's3' }),
    operationOf: (head, host) => {
      try {
        return s3OperationOf(withHoistedHeaders(head), s3Address(head, host));
      } catch {
        return '';
      }
    },
    early: true,
    maxBodyBytes: maxXmlBytes,
    intake: (call) => this.#intake({ ...call, head: withHoistedHeaders(call.head) }),
    answer: (call) => this.#answer({ ...call, head: withHoistedHeaders(call.head) }),
  };

  #intake(call: HeadCall): Intake | undefined {
    const address = s3Address(call.head, call.host);
    const operation = s3OperationOf(call.head, address);
    if (operation === '') throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
    if (operation === 'PostObject')
      throw new AwsError('NotImplemented', 'A form with a policy is signed in its policy, which is not emulated here', 501);
    const { bucket: name, key } = address;
    if (name === undefined || operation === 'CreateBucket') return undefined;
    const bucket = this.#bucket(call, name);
    if (key === undefined) return undefined;
    if (operation === 'PutObject') return this.#putObject(call, bucket, key);
    if (operation === 'UploadPart') return this.#uploadPart(call, bucket, { ...address, key });
    return undefined;
  }

  #putObject(call: HeadCall, bucket: Bucket, key: string): Intake {
    const before = bucket.objects.get(key);
    if (header(call.head, 'if-none-match') === '*' && before !== undefined) throw failed();
    if (header(call.head, 'if-match') !== undefined && (before === undefined || !checkConditions(call.head, before))) throw failed();
    return takeObject(call, this.#folder, (taken) => {
      putStored(bucket, { key, modifiedMs: call.nowMs, headers: objectHeaders(call.head), ...taken });
      return emptyAnswer(200, { etag: `"${taken.etag}"`, ...taken.checksums });
    });
  }

  #uploadPart(call: HeadCall, bucket: Bucket, { key, query }: S3Address & { readonly key: string }): Intake {
    const upload = findUpload(bucket, key, query.get('uploadId'));
    const number = partNumber(query.get('partNumber'));
    return takeObject(call, this.#folder, (taken) => {
      void upload.parts.get(number)?.content.dispose();
      upload.parts.set(number, { key, modifiedMs: call.nowMs, headers: {}, ...taken });
      return emptyAnswer(200, { etag: `"${taken.etag}"`, ...taken.checksums });
    });
  }

  #answer(call: Call): Answer | Promise<Answer> {
    const address = s3Address(call.head, call.host);
    const { bucket: name, key } = address;
    if (name === undefined || call.operation === 'CreateBucket')
      return answerBucket(call, { buckets: this.buckets, name, query: address.query });
    const bucket = this.#bucket(call, name);
    const plain = subresource(call.operation);
    if (plain !== undefined) return plain;
    if (key === undefined) return answerBucket(call, { buckets: this.buckets, name, query: address.query });
    return answerObject(call, { buckets: this.buckets, bucket, key, query: address.query, folder: this.#folder });
  }

  /** The bucket, in the region that was asked; elsewhere the client is sent there. Source: S3 user guide, "Request redirection". */
  #bucket({ host, region, nowMs, head }: HeadCall, name: string): Bucket {
    // What stands behind an access point, or in a zone, is made with the first request for it.
    if (/-\d{12}$|\.mrap$|--x-s3$/u.test(name) && host.bucket === name) return this.buckets.ensure(name, region, nowMs);
    const bucket = this.buckets.get(name);
    if (bucket.region === region || host.sigV4a === true || region === '*') return bucket;
    const endpoint = `${name}.s3.${bucket.region}.amazonaws.com`;
    const headers = { 'x-amz-bucket-region': bucket.region };
    if (head.method === 'HEAD') throw new AwsError('PermanentRedirect', '', 301, { headers });
    throw new AwsError(
      'PermanentRedirect',
      'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
      301,
      { headers, details: { Endpoint: endpoint, Bucket: name, Region: bucket.region } },
    );
  }
}

function failed(): AwsError {
  return new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
}
