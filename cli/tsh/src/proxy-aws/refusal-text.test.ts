import { describe, expect, it } from 'vitest';
import { refusalText } from '#proxy-aws/refusal-text.ts';

const signed = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIA/20260102/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
const said = (lines: readonly string[]) =>
  refusalText('tsh proxy aws')({ kind: 'unavailable', message: 'no agent answers', head: [...lines, '', ''].join('\r\n') }).toString();

describe('a refusal of tsh’s own', () => {
  it.each([
    ['S3', ['GET /b HTTP/1.1', 'Host: s3.amazonaws.com', `Authorization: ${signed('s3')}`], /<Error><Code>/],
    [
      'DynamoDB',
      ['POST / HTTP/1.1', 'Host: x', 'X-Amz-Target: DynamoDB_20120810.ListTables', `Authorization: ${signed('dynamodb')}`],
      /"__type"/,
    ],
    [
      'IAM',
      ['POST / HTTP/1.1', 'Host: iam.amazonaws.com', 'Content-Type: application/x-www-form-urlencoded', `Authorization: ${signed('iam')}`],
      /<ErrorResponse>/,
    ],
    ['EC2', ['POST / HTTP/1.1', 'Host: x', `Authorization: ${signed('ec2')}`], /<Response><Errors>/],
    [
      'a pre-signed address of S3',
      ['GET /b/k?X-Amz-Credential=AKIA%2F20260102%2Fus-east-1%2Fs3%2Faws4_request HTTP/1.1', 'Host: x'],
      /<Error><Code>/,
    ],
    ['an unsigned request by its host', ['GET /b HTTP/1.1', 'Host: my.s3.eu-west-1.amazonaws.com'], /<Error><Code>/],
  ])('is in the shape of %s', (_what, head, shape) => {
    const text = said(head);
    expect(text).toMatch(/^HTTP\/1\.1 50\d /);
    expect(text).toMatch(shape);
    expect(text).toContain('tsh proxy aws: no agent answers');
    expect(text).toMatch(/\r\nConnection: close\r\n/);
  });

  it('has no body where the answer to HEAD has none', () => {
    expect(said(['HEAD /b HTTP/1.1', 'Host: s3.amazonaws.com', `Authorization: ${signed('s3')}`])).toMatch(/\r\n\r\n$/);
  });

  it('says so also to what is no request', () => {
    expect(refusalText('tsh up')({ kind: 'forbidden', message: 'no', head: undefined }).toString()).toContain('tsh up: no');
  });
});
