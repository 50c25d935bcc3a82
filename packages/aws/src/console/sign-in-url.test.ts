import { describe, expect, it } from 'vitest';
import { isSignInUrl, signInUrl } from '#console/sign-in-url.ts';

const asked = { token: 't', destination: 'https://console.aws.amazon.com/', issuer: 'https://proxy.example/' };

describe('an address of a sign-in', () => {
  it.each(['aws', 'aws-cn', 'aws-us-gov', 'aws-eusc'] as const)('is known where it was made for %s', (partition) => {
    expect(isSignInUrl(signInUrl({ ...asked, partition }))).toBe(true);
  });

  it.each([
    '',
    'signin.aws.amazon.com/federation',
    'http://signin.aws.amazon.com/federation?Action=login',
    'https://signin.aws.amazon.com.evil.example/federation',
    'https://evil.example/federation?https://signin.aws.amazon.com/federation',
    'https://evil.example\\@signin.aws.amazon.com/federation',
    'https://signin.aws.amazon.com@evil.example/federation',
    'https://user@signin.aws.amazon.com/federation',
    'https://signin.aws.amazon.com:444/federation',
    'https://signin.aws.amazon.com/oauth?redirect_uri=https://evil.example',
    'https://signin.aws.amazon.com/federation/../oauth',
    'https://signin.aws.amazon.com/federation?\u001b]0;evil\u0007',
    'https://signin.aws.amazon.com/federation?a\r\nset-cookie: a=b',
    'https://signin.aws.amazon.com/federation?a b',
    'javascript:alert(1)//signin.aws.amazon.com/federation',
  ])('is not %s', (url) => {
    expect(isSignInUrl(url)).toBe(false);
  });
});
