import { expect, it } from 'vitest';
import { ownPath } from '#browser/own-path.ts';

it('ED-17 is a path of this proxy’s own pages, and never another site, header or page', () => {
  const launch =
    '/web/launch/aws?role=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FReader&destination=https%3A%2F%2Fconsole.aws.amazon.com%2Fs3';
  for (const path of ['/web', '/web?x=1', launch]) expect(ownPath(path)).toBe(path);
  for (const foreign of [
    undefined,
    ['/web', '/web'],
    '',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/%2f/evil.example',
    'https:evil.example',
    '/web//evil.example',
    '/web/\\evil.example',
    '/web/..//evil.example',
    '/web/%2e%2e/x',
    '/web/%2F/evil.example',
    '/website',
    '/web@evil.example',
    '/web.evil.example',
    '/web/x\r\nSet-Cookie: a=b',
    '/web/x\ty',
    ' /web',
    '/web/\u202eevil',
    'javascript:alert(1)',
    '/v1/webapi/find',
    `/web?${'x'.repeat(5000)}`,
  ])
    expect([foreign, ownPath(foreign)]).toEqual([foreign, '/web']);
});
