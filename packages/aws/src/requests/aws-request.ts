/** How a request and its answer are written. `s3` is rest-xml with error bodies of its own. */
export type AwsProtocol = 'json-1.0' | 'json-1.1' | 'rest-json' | 'rest-xml' | 's3' | 'query' | 'ec2' | 'rpc-v2-cbor';

/** A request without its body. */
export type RequestHead = {
  readonly method: string;
  /** raw, as it came */
  readonly path: string;
  /** raw, without the question mark */
  readonly query: string;
  /** flat raw headers */
  readonly headers: readonly string[];
  /** signing name: of the verified scope, or of the host where the request carries no signature */
  readonly service: string;
  /** an AwsTarget, where it is known: two services share a signing name (`s3` is S3 and S3 Control), and a host may name the bucket */
  readonly target?: { readonly host: string; readonly bucket?: string; readonly isS3Control?: boolean };
};

/** The body, or its beginning: `whole` where no byte follows. */
export type RequestBody = { readonly bytes: Buffer; readonly whole: boolean };

export type AwsRequest = {
  readonly protocol: AwsProtocol;
  /** AWS's name of it, `GetObject`; absent where the request does not tell it without doubt */
  readonly operation?: string;
};
