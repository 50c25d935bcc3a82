import { AwsError } from '#protocols/aws-error.ts';
import type { Content } from '#s3/content.ts';

export interface StoredObject {
  readonly key: string;
  readonly content: Content;
  /** Without quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  /** Headers to be given back as they came: content-type, cache-control, x-amz-meta-…; latin1, as on the wire. */
  readonly headers: Readonly<Record<string, string>>;
  /** x-amz-checksum-… headers, and x-amz-checksum-type. */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, StoredObject>;
}

export interface Bucket {
  readonly name: string;
  readonly region: string;
  readonly createdMs: number;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
}

const namePattern = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/u;

/** All buckets of the emulator. A name belongs to one region, and names are one namespace for all regions. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();

  create(name: string, region: string, createdMs: number): Bucket {
    if (!namePattern.test(name)) throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.');
    if (this.#buckets.has(name))
      throw new AwsError(
        'BucketAlreadyOwnedByYou',
        'Your previous request to create the named bucket succeeded and you already own it.',
        409,
      );
    const bucket: Bucket = { name, region, createdMs, objects: new Map(), uploads: new Map() };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  /** The bucket, made where it is not there yet: behind access points, and for tests that put objects beforehand. */
  ensure(name: string, region: string, createdMs: number): Bucket {
    return this.#buckets.get(name) ?? this.create(name, region, createdMs);
  }

  find(name: string): Bucket | undefined {
    return this.#buckets.get(name);
  }

  get(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined)
      throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404, { details: { BucketName: name } });
    return bucket;
  }

  delete(name: string): void {
    if (this.get(name).objects.size > 0) throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
    this.#buckets.delete(name);
  }

  all(): readonly Bucket[] {
    return [...this.#buckets.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }
}

/** Puts it in the place of what was there. */
export function putStored(bucket: Bucket, object: StoredObject): void {
  const before = bucket.objects.get(object.key);
  bucket.objects.set(object.key, object);
  if (before !== undefined) void before.content.dispose();
}
