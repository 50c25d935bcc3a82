import { describe, expect, it } from 'vitest';

import { awsHost } from '#hosts/aws-host.ts';

describe('a host of AWS', () => {
  it.each([
    ['dynamodb.us-east-1.amazonaws.com', 'dynamodb', 'dynamodb', 'us-east-1'],
    ['123456789012.ddb.us-east-1.amazonaws.com', 'dynamodb', 'dynamodb', 'us-east-1'],
    ['123456789012.streams-ddb.us-east-1.amazonaws.com', 'dynamodb-streams', 'dynamodb', 'us-east-1'],
    ['s-1234abcd.kinesisvideo.us-east-1.amazonaws.com', 'kinesisvideo', 'kinesisvideo', 'us-east-1'],
    ['query.timestream.us-east-1.amazonaws.com', 'timestream', 'timestream', 'us-east-1'],
    ['query-cell1.timestream.us-east-1.amazonaws.com', 'other', 'timestream', 'us-east-1'],
    ['streams.dynamodb.eu-west-1.amazonaws.com', 'dynamodb-streams', 'dynamodb', 'eu-west-1'],
    ['dynamodb-fips.us-gov-west-1.amazonaws.com:443', 'dynamodb', 'dynamodb', 'us-gov-west-1'],
    ['sts.amazonaws.com', 'sts', 'sts', 'us-east-1'],
    ['sts.cn-north-1.amazonaws.com.cn', 'sts', 'sts', 'cn-north-1'],
    ['iam.amazonaws.com', 'iam', 'iam', 'us-east-1'],
    ['lambda.eusc-de-east-1.api.amazonwebservices.eu', 'lambda', 'lambda', 'eusc-de-east-1'],
    ['bedrock-runtime.us-west-2.amazonaws.com', 'bedrock-runtime', 'bedrock', 'us-west-2'],
    ['stream-logs.us-east-1.amazonaws.com', 'logs', 'logs', 'us-east-1'],
    ['email.eu-west-1.amazonaws.com', 'other', 'ses', 'eu-west-1'],
    ['sqs.us-east-1.api.aws', 'other', 'sqs', 'us-east-1'],
    ['a1b2c3d4e5.execute-api.us-east-1.amazonaws.com', 'other', 'execute-api', 'us-east-1'],
    ['api.tunneling.iot.us-east-1.amazonaws.com', 'other', 'IoTSecuredTunneling', 'us-east-1'],
    ['us-west-2.console.aws.amazon.com', 'console', 'signin', undefined],
    ['us-gov-west-1.signin.amazonaws-us-gov.com', 'signin', 'signin', undefined],
  ])('%s is of %s, signed as %s', (host, service, signingName, region) => {
    expect(awsHost(host)).toMatchObject({ service, signingName, ...(region === undefined ? {} : { region }) });
  });

  it.each([
    ['s3.eu-west-1.amazonaws.com', undefined, 'eu-west-1', 's3'],
    ['my.bucket.with.dots.s3.eu-west-1.amazonaws.com', 'my.bucket.with.dots', 'eu-west-1', 's3'],
    ['files.s3.dualstack.us-east-1.amazonaws.com', 'files', 'us-east-1', 's3'],
    ['files.s3-fips.dualstack.us-east-1.amazonaws.com', 'files', 'us-east-1', 's3'],
    ['files.s3.amazonaws.com', 'files', 'us-east-1', 's3'],
    ['files.s3-accelerate.dualstack.amazonaws.com', 'files', undefined, 's3'],
    ['ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com', 'ap-123456789012', 'us-east-1', 's3'],
    ['ap-123456789012.s3-object-lambda.us-east-1.amazonaws.com', 'ap-123456789012', 'us-east-1', 's3-object-lambda'],
    ['ap-123456789012.op-01ac5d28a6a232904.s3-outposts.us-east-1.amazonaws.com', 'ap-123456789012', 'us-east-1', 's3-outposts'],
    ['b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com', 'b--use1-az4--x-s3', 'us-east-1', 's3express'],
    ['mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com', 'mfzwi23gnjvgw.mrap', undefined, 's3'],
    ['files.s3.cn-north-1.amazonaws.com.cn', 'files', 'cn-north-1', 's3'],
  ])('%s is of S3 with the bucket %s in %s, signed as %s', (host, bucket, region, signingName) => {
    const found = awsHost(host);
    expect([found?.service, found?.bucket, found?.region, found?.signingName, found?.verbatimPath]).toEqual([
      's3',
      bucket,
      region,
      signingName,
      true,
    ]);
  });

  it.each([
    'dynamodb.us-east-1.amazonaws.com.evil.example',
    'dynamodb.us-east-1.amazonaws.com.cn',
    'dynamodb.cn-north-1.amazonaws.com',
    'dynamodb.moon-1.amazonaws.com',
    'ec2-198-51-100-7.compute-1.amazonaws.com',
    'b--use1-az4--x-s3.s3express-use1-az5.us-east-1.amazonaws.com',
    'vpce-1.sqs.us-east-1.vpce.amazonaws.com',
    'search-x-y.us-east-1.es.amazonaws.com',
    'abc.execute-api.us-east-1.amazonaws.com',
    'evilsignin.aws.amazon.com',
    'console.aws.amazon.com.evil.example',
    '',
  ])('%s is none', (host) => {
    expect(awsHost(host)).toBeUndefined();
  });
});
