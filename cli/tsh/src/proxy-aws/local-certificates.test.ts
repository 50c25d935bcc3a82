import { createLocalAuthority } from '@postern/pki';
import { expect, it } from 'vitest';
import { LocalCertificates } from '#proxy-aws/local-certificates.ts';

it('certificates are made once for a host, and of many hosts those that were used last are kept', async () => {
  const nowMs = Date.now();
  const certificates = new LocalCertificates(
    await createLocalAuthority({ name: 'test', domains: ['amazonaws.com'], notAfterMs: nowMs + 60_000, nowMs }),
  );
  const first = await certificates.for('first.s3.amazonaws.com');
  expect(await certificates.for('first.s3.amazonaws.com')).toBe(first);
  for (let n = 0; n < 255; n += 1) await certificates.for(`b${n}.s3.amazonaws.com`);
  expect(await certificates.for('first.s3.amazonaws.com')).toBe(first);
  await certificates.for('last.s3.amazonaws.com');
  expect(certificates.size).toBe(256);
  expect(await certificates.for('first.s3.amazonaws.com')).toBe(first);
});
