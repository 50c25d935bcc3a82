import { describe, expect, it } from 'vitest';
import { speaksHttp2 } from '#endpoints/http2-hosts.ts';

describe('HTTP/2', () => {
  it.each([
    'bedrock-runtime.us-east-1.amazonaws.com',
    'transcribestreaming.eu-west-1.amazonaws.com',
    'runtime-v2-lex.eu-west-1.amazonaws.com',
    'polly.cn-north-1.amazonaws.com.cn',
  ])('is spoken to %s', (host) => expect(speaksHttp2(host)).toBe(true));

  it.each([
    's3.us-east-1.amazonaws.com',
    'bedrock.us-east-1.amazonaws.com',
    'bedrock-runtime.us-east-1.amazonaws.com.evil.example',
    'polly.s3.us-east-1.amazonaws.com',
    'bedrock-runtime',
    '',
  ])('is not to %s', (host) => expect(speaksHttp2(host)).toBe(false));
});
