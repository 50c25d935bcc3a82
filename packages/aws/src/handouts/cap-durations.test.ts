import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capDurations, capsBody, spanOf } from '#handouts/cap-durations.ts';
import { type CredentialOperation, credentialOperation } from '#handouts/credential-operation.ts';
import { serviceTable } from '#requests/service-table.ts';

function operation(service: string, name: string): CredentialOperation {
  const found = credentialOperation(service, name);
  if (found === undefined) throw new Error(`${service}:${name} hands out nothing`);
  return found;
}
const cap = (
  name: string,
  given: { readonly service?: string; readonly query?: string; readonly body?: string; readonly left?: number },
) => {
  const { service = 'sts', query = '', body = '', left = 1800 } = given;
  const capped = capDurations({ operation: operation(service, name), query, body: Buffer.from(body), remainingSeconds: left });
  return 'refusal' in capped ? capped : { ...capped, body: capped.body.toString() };
};

describe('capDurations', () => {
  test('a duration in a form is cut to what is left of the certificate', () => {
    expect(cap('AssumeRole', { body: 'Action=AssumeRole&DurationSeconds=43200&RoleArn=arn%3Aaws' })).toEqual({
      query: '',
      body: 'Action=AssumeRole&RoleArn=arn%3Aaws&DurationSeconds=1800',
      lifeSeconds: 1800,
    });
  });

  test.each(['AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'GetFederationToken', 'GetSessionToken'])(
    '%s is cut in the form, in the query string, and in the query string beside a form',
    (name) => {
      const ask = `Action=${name}&Version=2011-06-15`;
      expect(cap(name, { body: `${ask}&DurationSeconds=43200` })).toMatchObject({ body: `${ask}&DurationSeconds=1800`, lifeSeconds: 1800 });
      expect(cap(name, { query: `${ask}&DurationSeconds=43200&X-Amz-Date=1` })).toEqual({
        query: `${ask}&X-Amz-Date=1&DurationSeconds=1800`,
        body: '',
        lifeSeconds: 1800,
      });
      expect(cap(name, { query: 'DurationSeconds=43200', body: ask })).toEqual({
        query: 'DurationSeconds=1800',
        body: ask,
        lifeSeconds: 1800,
      });
    },
  );

  test('a shorter one stays, and one under an escape is the same one', () => {
    expect(cap('AssumeRole', { body: 'Action=AssumeRole&DurationSeconds=900' })).toMatchObject({ lifeSeconds: 900 });
    expect(cap('AssumeRole', { body: 'Action=AssumeRole&%44urationSeconds=432%30%30' })).toMatchObject({
      body: 'Action=AssumeRole&DurationSeconds=1800',
      lifeSeconds: 1800,
    });
  });

  test.each([
    ['AssumeRole', 1800, 1800],
    ['AssumeRole', 40_000, 3600],
    ['AssumeRoot', 40_000, 900],
    ['GetSessionToken', 40_000, 40_000],
    ['GetFederationToken', 50_000, 43_200],
  ])('%s without a duration, with %i s left, is asked for %i s', (name, left, seconds) => {
    expect(cap(name, { body: `Action=${name}`, left })).toEqual({
      query: '',
      body: `Action=${name}&DurationSeconds=${seconds}`,
      lifeSeconds: seconds,
    });
    expect(cap(name, { query: `Action=${name}`, left })).toMatchObject({ query: `Action=${name}&DurationSeconds=${seconds}`, body: '' });
  });

  test.each([
    ['twice', { body: 'DurationSeconds=900&DurationSeconds=43200' }, /DurationSeconds is there twice/],
    ['in both places', { query: 'DurationSeconds=900', body: 'DurationSeconds=43200' }, /there twice/],
    ['under another case', { body: 'DurationSeconds=900&durationseconds=43200' }, /there twice/],
    ['under another case alone', { body: 'durationSeconds=43200' }, /is written "durationSeconds"/],
    ['in words', { body: 'DurationSeconds=1h' }, /not a whole number/],
    ['with a sign', { body: 'DurationSeconds=%2B43200' }, /not a whole number/],
    ['behind a semicolon', { body: 'DurationSeconds=900;DurationSeconds=43200' }, /not encoded as a form/],
    ['empty', { body: 'DurationSeconds=' }, /not a whole number/],
  ])('a duration %s is refused', (_, given, reason) =>
    expect(cap('AssumeRole', given)).toEqual({ refusal: expect.stringMatching(reason) }),
  );

  test('with 900 s left keys are handed out for 900, and with 899 none, and both times are said', () => {
    expect(cap('AssumeRole', { body: 'Action=AssumeRole', left: 900 })).toMatchObject({ lifeSeconds: 900 });
    expect(cap('AssumeRole', { body: 'Action=AssumeRole', left: 899 })).toEqual({
      refusal: 'sts:AssumeRole hands out keys for 15 min at least, and your session ends in 14 min 59 s: sign in again with tsh login',
    });
  });

  test('a JSON body is written anew, and every other member stays', () => {
    const name = 'GetTemporaryGlueTableCredentials';
    const given = { service: 'lakeformation' };
    expect(cap(name, { ...given, body: '{"TableArn":"a","DurationSeconds": 43200, "x":{"y":[1.5,null]}}' })).toEqual({
      query: '',
      body: '{"TableArn":"a","DurationSeconds":1800,"x":{"y":[1.5,null]}}',
      lifeSeconds: 1800,
    });
    expect(cap(name, { ...given, body: '{"TableArn":"a"}', left: 40_000 })).toMatchObject({
      body: '{"TableArn":"a","DurationSeconds":3600}',
    });
    expect(cap(name, { ...given, body: '{"\\u0044urationSeconds":1e4}' })).toMatchObject({ lifeSeconds: 1800 });
  });

  test.each([
    ['is there twice', '{"DurationSeconds":900,"DurationSeconds":43200}'],
    ['is there twice', '{"DurationSeconds":900,"\\u0044urationSeconds":43200}'],
    ['is written', '{"durationSeconds":43200}'],
    ['not a whole number', '{"DurationSeconds":"43200"}'],
    ['not a whole number', '{"DurationSeconds":1000.5}'],
    ['an object is expected', '[]'],
    ['an object is expected', ''],
    ['something follows', '{}{"DurationSeconds":43200}'],
  ])('JSON of which one says %s is refused', (reason, body) => {
    expect(cap('GetTemporaryGlueTableCredentials', { service: 'lakeformation', body })).toEqual({
      refusal: expect.stringContaining(reason),
    });
  });

  test('services that count in the query string', () => {
    expect(cap('GetDataAccess', { service: 's3', query: 'target=s3%3A%2F%2Fb&durationSeconds=43200&permission=READ' })).toMatchObject({
      query: 'target=s3%3A%2F%2Fb&permission=READ&durationSeconds=1800',
      lifeSeconds: 1800,
    });
    expect(cap('GetRoleCredentials', { service: 'account-access', query: 'tenantId=aa-1', left: 1859 })).toMatchObject({
      query: 'tenantId=aa-1&sessionDuration=1859',
      lifeSeconds: 1859,
    });
  });

  test('what AWS decides is let through where it ends before the certificate, and refused one second short of it', () => {
    expect(cap('GetCredentialsForIdentity', { service: 'cognito-identity', left: 3600 })).toMatchObject({ lifeSeconds: 3600 });
    expect(cap('GetCredentialsForIdentity', { service: 'cognito-identity', left: 3599 })).toHaveProperty('refusal');
    expect(cap('GetRoleCredentials', { service: 'awsssoportal', left: 40_000 })).toEqual({
      refusal: 'awsssoportal:GetRoleCredentials hands out keys for up to 12 h, and your session ends in 11 h 6 min',
    });
  });

  test('keys of a session of S3 Express sign nothing here: there is something else instead', () => {
    for (const service of ['s3', 's3express'])
      expect(cap('CreateSession', { service, query: 'session', left: 40_000 })).toEqual({
        refusal: expect.stringMatching(
          /^s3:CreateSession hands out keys that sign nothing on this way: set AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true/,
        ) as string,
      });
  });

  test('what lasts until it is deleted is refused always', () => {
    for (const name of ['CreateAccessKey', 'CreateServiceSpecificCredential']) {
      expect(cap(name, { service: 'iam', left: 43_200 })).toEqual({ refusal: expect.stringContaining('lasts until it is deleted') });
    }
    expect(cap('CreateBucketAccessKey', { service: 'lightsail', left: 43_200 })).toHaveProperty('refusal');
  });

  test('whatever a form holds, what goes out says one duration, within what is left', () => {
    const pair = fc.oneof(
      fc.tuple(fc.constantFrom('DurationSeconds', 'durationseconds', '%44urationSeconds', 'RoleArn', 'Policy', 'X'), fc.string()),
      fc.tuple(fc.constant('DurationSeconds'), fc.nat({ max: 200_000 }).map(String)),
    );
    const forms = fc
      .array(pair, { maxLength: 4 })
      .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&'));
    fc.assert(
      fc.property(forms, forms, fc.integer({ min: 900, max: 43_200 }), (query, body, left) => {
        const capped = cap('AssumeRole', { query, body, left });
        if ('refusal' in capped) return;
        // the platform's own reader of forms as the judge
        const all = [...new URLSearchParams(capped.query), ...new URLSearchParams(capped.body)];
        const said = all.filter(([name]) => name.toLowerCase() === 'durationseconds');
        expect(said).toEqual([['DurationSeconds', String(capped.lifeSeconds)]]);
        expect(capped.lifeSeconds).toBeLessThanOrEqual(left);
        const others = (text: string) => [...new URLSearchParams(text)].filter(([name]) => name.toLowerCase() !== 'durationseconds');
        expect([...others(capped.query), ...others(capped.body)]).toEqual([...others(query), ...others(body)]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('credentialOperation', () => {
  test('knows 40 operations, in whatever case, and S3 under each of its names', () => {
    expect(serviceTable().credentials).toHaveLength(40);
    expect(credentialOperation('sts', 'assumerole')).toMatchObject({ operation: 'AssumeRole' });
    expect(credentialOperation('s3express', 'CreateSession')).toMatchObject({ service: 's3' });
  });

  test('others hand out nothing', () => {
    for (const [service, name] of [
      ['sts', 'GetCallerIdentity'],
      ['iam', 'ListAccessKeys'],
      ['lightsail', 'GetBucketAccessKeys'],
      ['kms', 'AssumeRole'],
    ] as const) {
      expect(credentialOperation(service, name)).toBeUndefined();
    }
    expect(credentialOperation('sts', undefined)).toBeUndefined();
  });

  test('one of which AWS gives no length is taken for the longest session of a role', () => {
    expect(operation('codepipeline', 'PollForJobs').life).toEqual({ kind: 'fixed', seconds: 43_200 });
  });

  test('the body is wanted where the duration may stand in it', () => {
    expect(capsBody(operation('sts', 'AssumeRole'))).toBe(true);
    expect(capsBody(operation('lakeformation', 'GetTemporaryGlueTableCredentials'))).toBe(true);
    expect(capsBody(operation('s3', 'GetDataAccess'))).toBe(false);
    expect(capsBody(operation('iam', 'CreateAccessKey'))).toBe(false);
  });
});

test('a span of time is said in its two largest units', () => {
  expect([0, 59, 60, 899, 3600, 3661, 43_200, 26_100].map(spanOf)).toEqual([
    '0 s',
    '59 s',
    '1 min',
    '14 min 59 s',
    '1 h',
    '1 h 1 min',
    '12 h',
    '7 h 15 min',
  ]);
});
