import { describe, expect, test } from 'vitest';
import { credentialOperation } from '#handouts/credential-operation.ts';
import { handedOutKeys } from '#handouts/handed-out-keys.ts';
import type { AwsProtocol } from '#requests/aws-request.ts';

function keys(
  service: string,
  name: string,
  answer: { readonly protocol: AwsProtocol; readonly body: string | Buffer },
): readonly string[] {
  const operation = credentialOperation(service, name);
  if (operation === undefined) throw new Error('hands out nothing');
  return handedOutKeys({ operation, protocol: answer.protocol, body: Buffer.from(answer.body) });
}
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

describe('handedOutKeys', () => {
  test('finds the id in XML, and not the secret', () => {
    const body = `<AssumeRoleResponse><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey></Credentials></AssumeRoleResponse>`;
    expect(keys('sts', 'AssumeRole', { protocol: 'query', body })).toEqual(['ASIAIOSFODNN7EXAMPLE']);
  });

  // STS answers in JSON whoever accepts that, and the ids in it were looked for in XML.
  test('goes by what the answer is, and not by how it was asked for alone', () => {
    const text = `\n ${JSON.stringify({ AssumeRoleResult: { Credentials: { AccessKeyId: 'ASIAIOSFODNN7EXAMPLE', SecretAccessKey: secret } } })}`;
    expect(keys('sts', 'AssumeRole', { protocol: 'query', body: text })).toEqual(['ASIAIOSFODNN7EXAMPLE']);
    const xml = '\uFEFF<?xml version="1.0"?><accessKeyId>ASIA1</accessKeyId>';
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body: xml })).toEqual(['ASIA1']);
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body: '\xbfkaccessKeyIdeASIA1' })).toEqual(['ASIA1']);
  });

  test('finds several in JSON, each once', () => {
    const job = (accessKeyId: string) => ({ data: { artifactCredentials: { accessKeyId, secretAccessKey: secret } } });
    const body = JSON.stringify({ jobs: [job('ASIA1'), job('ASIA2'), job('ASIA1')] });
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body })).toEqual(['ASIA1', 'ASIA2']);
  });

  test('finds it in CBOR (written here by hand, RFC 8949 appendix A)', () => {
    const text = (value: string) =>
      Buffer.concat([value.length < 24 ? Buffer.of(0x60 + value.length) : Buffer.of(0x78, value.length), Buffer.from(value)]);
    const map = (members: Record<string, string>) =>
      Buffer.concat([Buffer.of(0xa0 + Object.keys(members).length), ...Object.entries(members).flat().map(text)]);
    const body = Buffer.concat([
      Buffer.of(0xa1),
      text('Credentials'),
      map({ AccessKeyId: 'ASIAIOSFODNN7EXAMPLE', SecretAccessKey: secret }),
    ]);
    expect(keys('gamelift', 'GetComputeAccess', { protocol: 'rpc-v2-cbor', body })).toEqual(['ASIAIOSFODNN7EXAMPLE']);
    expect(keys('gamelift', 'GetComputeAccess', { protocol: 'rpc-v2-cbor', body: map({ AccessKeyId: 'A'.repeat(40) }) })).toEqual([
      'A'.repeat(40),
    ]);
  });

  test.each(['', '{', '<ErrorResponse/>', '{"accessKeyId":{"x":1}}', '{"accessKeyId":"a b"}'])('%j holds none', (body) => {
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body })).toEqual([]);
  });

  test('a hundred are told, and one more is not', () => {
    const body = (count: number) => JSON.stringify(Array.from({ length: count }, (_, i) => ({ accessKeyId: `ASIA${i}` })));
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body: body(100) })).toHaveLength(100);
    expect(keys('codepipeline', 'PollForJobs', { protocol: 'json-1.1', body: body(101) })).toHaveLength(100);
  });
});
