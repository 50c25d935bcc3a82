import { expect, test } from 'vitest';
import { capDurations } from '#handouts/cap-durations.ts';
import { credentialOperation } from '#handouts/credential-operation.ts';
import type { RequestHead } from '#requests/aws-request.ts';
import { describeRequest } from '#requests/describe-request.ts';
import { maxFormPairs, parseForm } from '#requests/form.ts';
import { innerPresignedUrl } from '#requests/inner-presigned-url.ts';

const headers = ['content-type', 'application/x-www-form-urlencoded'];
const MIB = 1024 * 1024;

test(`${maxFormPairs} parameters are read, and one more is refused in words`, () => {
  const sts: RequestHead = { method: 'POST', path: '/', query: '', headers, service: 'sts' };
  const of = (count: number) => Buffer.from(`Action=AssumeRole${'&a'.repeat(count - 1)}`);
  expect(parseForm(of(maxFormPairs).toString())).toHaveLength(maxFormPairs);
  expect(parseForm(of(maxFormPairs + 1).toString())).toBeUndefined();
  expect(describeRequest(sts, { bytes: of(maxFormPairs), whole: true })).toMatchObject({ operation: 'AssumeRole' });
  const refusal = `a form for sts may have ${maxFormPairs} parameters at most`;
  expect(describeRequest(sts, { bytes: of(maxFormPairs + 1), whole: true })).toEqual({ refusal });
});

// Half a million parameters in 1 MiB were split and decoded three times, and everybody else waited for a second.
test.each([
  ['sts', 'AssumeRole'],
  ['ec2', 'CopySnapshot'],
  ['sns', 'Publish'],
])('for %s a form of tiny parameters costs no more than a few forms of one long value', (service, action) => {
  const cost = (more: string): number => {
    const body = Buffer.from(`Action=${action}${more}`);
    const before = process.cpuUsage();
    for (let i = 0; i < 5; i++) {
      describeRequest({ method: 'POST', path: '/', query: '', headers, service }, { bytes: body, whole: true });
      innerPresignedUrl({ service, operation: action, query: '', body });
      const operation = credentialOperation(service, action);
      if (operation !== undefined) capDurations({ operation, query: '', body, remainingSeconds: 3600 });
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const long = `&a=${'a'.repeat(MIB - 64)}`;
  const tiny = '&a'.repeat(MIB / 2 - 32);
  cost(long);
  expect(cost(tiny)).toBeLessThan(100 + 5 * cost(long));
});
