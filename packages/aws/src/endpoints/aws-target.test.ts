import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awsHosts } from '#endpoints/aws-hosts.ts';
import { isAwsHost } from '#endpoints/aws-host.ts';
import { awsTarget } from '#endpoints/aws-target.ts';
import { awsTunnel } from '#endpoints/aws-tunnel.ts';
import { partitionOf, partitions } from '#endpoints/partitions.ts';

/** The collected data itself, so that the generated module is judged by what it was made from. */
const data: {
  regions: string[];
  prefixes: Record<string, string[]>;
  operationPrefixes: Record<string, string[]>;
  regionless: Record<string, [string, string][]>;
} = JSON.parse(readFileSync(new URL('../../data/aws-hosts.json', import.meta.url), 'utf8'));

const target = (host: string, service: string, region: string): ReturnType<typeof awsTarget> =>
  awsTarget({ host, scope: { service, region } });

describe('every host of the table', () => {
  test('each prefix with each region, under both suffixes, is itself, and refused for another service or region', () => {
    const failed: string[] = [];
    let seen = 0;
    for (const [service, prefixes] of Object.entries(data.prefixes)) {
      const other = service === 'dynamodb' ? 's3' : 'dynamodb';
      const operations = data.operationPrefixes[service] ?? [];
      for (const prefix of prefixes.flatMap((label) => [label, ...operations.map((operation) => operation + label)])) {
        for (const region of data.regions) {
          const partition = partitionOf(region);
          for (const suffix of [partition?.dnsSuffix, partition?.dualStackSuffix]) {
            const host = `${prefix}.${region}.${suffix}`;
            if (data.regionless[host] !== undefined) continue;
            seen++;
            const found = target(host, service, region);
            const right = !('refusal' in found) && found.host === host && found.service === service && found.region === region;
            if (!right || !('refusal' in target(host, other, region))) failed.push(host);
          }
          const wrong = data.regions[(data.regions.indexOf(region) + 1) % data.regions.length] ?? '';
          const host = `${prefix}.${region}.${partition?.dnsSuffix}`;
          if (!('refusal' in target(host, service, wrong))) failed.push(`${host} in ${wrong}`);
        }
      }
    }
    expect(failed).toEqual([]);
    expect(seen).toBeGreaterThan(75_000);
  });

  test('each host without a region signs for its own regions and for no other', () => {
    for (const [host, scopes] of Object.entries(data.regionless)) {
      const regions = scopes.map(([, region]) => region).filter((region) => data.regions.includes(region));
      const [service = ''] = scopes[0] ?? [];
      for (const region of data.regions) {
        const expected = host === 's3.amazonaws.com' ? partitionOf(region)?.id === 'aws' : regions.includes(region);
        expect([host, region, !('refusal' in target(host, service, region))]).toEqual([host, region, expected]);
        expect(target(host, 'ec2', region)).toHaveProperty('refusal');
      }
    }
  });

  test('one host stands in two partitions, and the region decides', () => {
    expect(target('budgets.amazonaws.com', 'budgets', 'us-east-1')).toMatchObject({ partition: 'aws' });
    expect(target('budgets.amazonaws.com', 'budgets', 'us-gov-west-1')).toMatchObject({ partition: 'aws-us-gov' });
  });

  test('a prefix under the suffix of another partition is refused', () => {
    expect(target('dynamodb.cn-north-1.amazonaws.com', 'dynamodb', 'cn-north-1')).toHaveProperty('refusal');
    expect(target('dynamodb.us-east-1.amazonaws.com.cn', 'dynamodb', 'us-east-1')).toHaveProperty('refusal');
    expect(target('dynamodb.us-east-1.amazonaws.eu', 'dynamodb', 'us-east-1')).toHaveProperty('refusal');
  });
});

describe('hosts of S3', () => {
  const account = '123456789012';
  test.each([
    ['my-bucket.s3.eu-west-1.amazonaws.com', 's3', 'eu-west-1', { bucket: 'my-bucket' }],
    ['my.bucket.of.dots.s3.eu-west-1.amazonaws.com', 's3', 'eu-west-1', { bucket: 'my.bucket.of.dots' }],
    ['my-bucket.s3.dualstack.eu-west-1.amazonaws.com', 's3', 'eu-west-1', { bucket: 'my-bucket' }],
    ['my-bucket.s3-fips.us-east-1.amazonaws.com', 's3', 'us-east-1', { bucket: 'my-bucket' }],
    ['my-bucket.s3-fips.dualstack.us-gov-west-1.amazonaws.com', 's3', 'us-gov-west-1', { partition: 'aws-us-gov' }],
    ['my-bucket.s3.cn-north-1.amazonaws.com.cn', 's3', 'cn-north-1', { partition: 'aws-cn' }],
    ['my-bucket.s3-us-west-2.amazonaws.com', 's3', 'us-west-2', { bucket: 'my-bucket' }],
    ['s3-us-west-2.amazonaws.com', 's3', 'us-west-2', {}],
    ['s3-external-1.amazonaws.com', 's3', 'us-east-1', {}],
    ['my-bucket.s3.amazonaws.com', 's3', 'us-east-1', { bucket: 'my-bucket' }],
    ['my-bucket.s3.amazonaws.com', 's3', 'eu-central-1', { region: 'eu-central-1' }],
    ['my-bucket.s3-accelerate.amazonaws.com', 's3', 'ap-south-1', { region: 'ap-south-1' }],
    ['my-bucket.s3-accelerate.dualstack.amazonaws.com', 's3', 'us-west-2', {}],
    [`reports-${account}.s3-accesspoint.us-east-1.amazonaws.com`, 's3', 'us-east-1', { accountId: account }],
    [`reports-${account}.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com`, 's3', 'us-east-1', { accountId: account }],
    [`reports-${account}.s3-object-lambda.us-east-1.amazonaws.com`, 's3-object-lambda', 'us-east-1', { accountId: account }],
    ['io-a1b2.s3-object-lambda.us-east-1.amazonaws.com', 's3-object-lambda', 'us-east-1', {}],
    [`reports-${account}.op-01ac5d28a6a232904.s3-outposts.us-east-1.amazonaws.com`, 's3-outposts', 'us-east-1', { accountId: account }],
    ['logs--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com', 's3express', 'us-east-1', { bucket: 'logs--use1-az4--x-s3' }],
    ['logs--use1-az4--x-s3.s3express-use1-az4.dualstack.us-east-1.amazonaws.com', 's3express', 'us-east-1', {}],
    ['s3express-control.us-east-1.amazonaws.com', 's3express', 'us-east-1', {}],
    [`${account}.s3-control.us-east-1.amazonaws.com`, 's3', 'us-east-1', { accountId: account, isS3Control: true }],
    [`${account}.s3-control-fips.dualstack.us-east-1.amazonaws.com`, 's3', 'us-east-1', { accountId: account, isS3Control: true }],
    ['s3-control.us-east-1.amazonaws.com', 's3', 'us-east-1', { isS3Control: true }],
    ['s3-control-x.s3.us-east-1.amazonaws.com', 's3', 'us-east-1', { bucket: 's3-control-x' }],
    ['s3-control.s3.us-east-1.amazonaws.com', 's3', 'us-east-1', { bucket: 's3-control' }],
    ['mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com', 's3', '*', { signature: 'v4a', region: '*' }],
  ])('%s signs as %s in %s', (host, service, region, more) => {
    expect(target(host, service, region)).toMatchObject({ host, service, ...more });
    expect(target(host, service === 's3' ? 's3express' : 's3', region)).toHaveProperty('refusal');
    expect(target(host, service, 'us-iso-east-1')).toHaveProperty('refusal');
  });

  test.each([
    ['my-bucket.s3-website-us-east-1.amazonaws.com', 'us-east-1'],
    ['my-bucket.s3-website.eu-central-1.amazonaws.com', 'eu-central-1'],
    ['my.bucket.s3-accelerate.amazonaws.com', 'us-east-1'],
    ['my-bucket.s3.us-east-1.api.aws', 'us-east-1'],
    ['reports.s3-accesspoint.us-east-1.amazonaws.com', 'us-east-1'],
    ['s3-accesspoint.us-east-1.amazonaws.com', 'us-east-1'],
    ['logs--use1-az4--x-s3.s3express-use1-az5.us-east-1.amazonaws.com', 'us-east-1'],
    ['1234.s3-control.us-east-1.amazonaws.com', 'us-east-1'],
    ['bucket.vpce-0123456789abcdef0-abcdefgh.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
    ['evils3.us-east-1.amazonaws.com', 'us-east-1'],
    ['b.evils3.us-east-1.amazonaws.com', 'us-east-1'],
    ['my-bucket.s3.us-east-1.amazonaws.com', 'us-west-2'],
    ['my-bucket.s3-us-west-2.amazonaws.com', 'us-east-1'],
    ['my-bucket.s3.amazonaws.com', 'us-gov-west-1'],
    ['my-bucket.s3.amazonaws.com', '*'],
    ['mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com', 'us-east-1'],
  ])('%s is refused in %s', (host, region) => {
    for (const service of ['s3', 's3express', 's3-object-lambda']) expect(target(host, service, region)).toHaveProperty('refusal');
  });
});

describe('hosts of many regions', () => {
  test.each([
    ['abcde.veo.endpoint.events.amazonaws.com', 'events', {}],
    ['abcde.veo.endpoint.events.api.aws', 'events', {}],
    ['ab-12.g3h.endpoints.email.global.api.aws', 'ses', {}],
    ['ab12.endpoints.email.amazonaws.com', 'ses', {}],
    ['123456789012.cloudfront-kvs.global.api.aws', 'cloudfront-keyvaluestore', { accountId: '123456789012' }],
  ])('%s is %s, signed for all regions and for no single one', (host, service, more) => {
    expect(target(host, service, '*')).toEqual({ service, region: '*', partition: 'aws', host, signature: 'v4a', ...more });
    expect(target(host, service, 'us-east-1')).toEqual({ refusal: expect.stringContaining('valid region') });
    expect(target(host, 's3', '*')).toEqual({ refusal: expect.stringContaining(`correct service: '${service}'`) });
    expect(isAwsHost(host)).toBe(true);
  });

  test.each([
    ['endpoint.events.amazonaws.com', 'events'],
    ['a.b.c.endpoint.events.amazonaws.com', 'events'],
    ['abcde.veo.endpoint.events.amazonaws.com.cn', 'events'],
    ['abcde.veo.endpoint.events.us-east-1.amazonaws.com', 'events'],
    ['evil.xendpoint.events.amazonaws.com', 'events'],
    ['endpoints.email.global.api.aws', 'ses'],
    ['a.endpoints.email.api.aws', 'ses'],
    ['1234.cloudfront-kvs.global.api.aws', 'cloudfront-keyvaluestore'],
    ['x.123456789012.cloudfront-kvs.global.api.aws', 'cloudfront-keyvaluestore'],
  ])('%s is none of %s', (host, service) => {
    expect(target(host, service, '*')).toHaveProperty('refusal');
  });
});

describe('other hosts with a name of an account in them', () => {
  test('the account of DynamoDB is told', () => {
    const host = '123456789012.ddb.us-east-1.amazonaws.com';
    expect(target(host, 'dynamodb', 'us-east-1')).toMatchObject({ host, accountId: '123456789012' });
    expect(target('123456789012.ddb.us-east-1.api.aws', 'dynamodb', 'us-east-1')).toMatchObject({ accountId: '123456789012' });
    for (const label of ['streams-ddb', 'streams-ddb-fips', 'search-ddb'])
      expect(target(host.replace('ddb', label), 'dynamodb', 'us-east-1')).toMatchObject({ accountId: '123456789012' });
    expect(target(host.replace('ddb', 'other-ddb'), 'dynamodb', 'us-east-1')).toHaveProperty('refusal');
    expect(target('12345678901.ddb.us-east-1.amazonaws.com', 'dynamodb', 'us-east-1')).toHaveProperty('refusal');
    expect(target('123456789012.ddb.us-gov-west-1.amazonaws.com', 'dynamodb', 'us-gov-west-1')).toHaveProperty('refusal');
  });

  test('hosts that streams of video are told of are the service’s, and no others below its name', () => {
    const host = 's-1234abcd.kinesisvideo.us-east-1.amazonaws.com';
    expect(target(host, 'kinesisvideo', 'us-east-1')).toMatchObject({ host, service: 'kinesisvideo' });
    expect(target(host, 's3', 'us-east-1')).toHaveProperty('refusal');
    for (const other of ['evil', 's-1234abcdef', 'x.s-1234abcd', 's-1234wxyz'])
      expect(target(host.replace('s-1234abcd', other), 'kinesisvideo', 'us-east-1')).toHaveProperty('refusal');
  });

  test('cells that endpoint discovery names are the service', () => {
    const host = 'ingest-cell1.timestream.us-east-1.amazonaws.com';
    expect(target(host, 'timestream', 'us-east-1')).toMatchObject({ host });
  });

  test('a host of the organisation passes only when it is listed in full', () => {
    const host = 'search-logs-abc123.us-east-1.es.amazonaws.com';
    const scope = { service: 'es', region: 'us-east-1' };
    expect(awsTarget({ host, scope })).toMatchObject({ refusal: expect.stringContaining('OpenSearch domains and collections') });
    const ownHosts = [{ host, ...scope }];
    expect(awsTarget({ host, scope, ownHosts })).toMatchObject({ host, partition: 'aws' });
    expect(awsTarget({ host, scope: { service: 's3', region: 'us-east-1' }, ownHosts })).toHaveProperty('refusal');
    expect(awsTarget({ host: `x.${host}`, scope, ownHosts })).toHaveProperty('refusal');
    // What stands in the table stays what it is.
    const table = 'dynamodb.us-east-1.amazonaws.com';
    const renamed = [{ host: table, service: 'execute-api', region: 'us-east-1' }];
    expect(awsTarget({ host: table, scope, ownHosts: renamed })).toHaveProperty('refusal');
    expect(awsTarget({ host: table, scope: { service: 'dynamodb', region: 'us-east-1' }, ownHosts: renamed })).toMatchObject({
      host: table,
    });
  });

  test.each([
    ['signin.aws.amazon.com', 'web page'],
    ['us-east-1.signin.aws.amazon.com', 'web page'],
    ['console.aws.amazon.com', 'web page'],
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com', 'password'],
    ['dom-123456789012.d.codeartifact.us-east-1.amazonaws.com', 'bearer'],
    ['git-codecommit.us-east-1.amazonaws.com', 'git over CodeCommit'],
    ['0123.gr7.us-east-1.eks.amazonaws.com', 'token'],
    ['abc.execute-api.us-east-1.amazonaws.com', 'customers'],
    ['abc.lambda-url.us-east-1.on.aws', 'customers'],
    ['abc.us-east-1.aoss.amazonaws.com', 'customers'],
    ['vpce-0123-abc.sqs.us-east-1.vpce.amazonaws.com', 'customers'],
    ['ec2-1-2-3-4.compute-1.amazonaws.com', 'customer'],
    ['x.us-east-1.elb.amazonaws.com', 'customer'],
    ['a1b2c3-ats.iot.us-east-1.amazonaws.com', 'data-ats.iot'],
    ['a1b2c3.credentials.iot.us-east-1.amazonaws.com', 'hands out keys'],
    ['example.com', 'host name'],
    ['dynamodb.example.com', 'not in the table'],
  ])('%s is refused, and the words say why', (host, words) => {
    expect(target(host, 'execute-api', 'us-east-1')).toEqual({ refusal: expect.stringContaining(words) });
  });

  test('Session Manager is tunnelled, and nothing else is', () => {
    const host = 'ssmmessages.eu-west-1.amazonaws.com';
    expect(awsTunnel(host)).toEqual({ host, region: 'eu-west-1', partition: 'aws' });
    expect(target(host, 'ssm', 'eu-west-1')).toHaveProperty('refusal');
    for (const other of ['ssm.eu-west-1.amazonaws.com', 'x.ssmmessages.eu-west-1.amazonaws.com', 'ssmmessages.evil.com', `${host}.`]) {
      expect(awsTunnel(other)).toBeUndefined();
    }
  });
});

describe('strings that fool checks of AWS hosts', () => {
  const tricks = [
    'attacker.example.com://s3.amazonaws.com',
    's3.amazonaws.com@evil.com',
    'evil.com#.amazonaws.com',
    'evil.com/.amazonaws.com',
    'evil.com?.amazonaws.com',
    'evil.com\\.amazonaws.com',
    's3.amazonaws.com.evil.com',
    'evilamazonaws.com',
    'x.amazonaws.com%2eevil.com',
    'dynamodb。us-east-1.amazonaws.com',
    'dyn\u212Aamazonaws.com',
    'dynamodb.us-east-1.a\tmazonaws.com',
    '0x7f.1',
    '127.0.0.1',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    's3.amazonaws.com.',
    's3.amazonaws.com:8443',
    'S3.amazonaws.com',
    's3.us-east-1.amazonaws.com\n',
    's3.us-east-1.amazonaws.com:443:443',
    's3.us-east-1.amazonaws.com\0.evil.com',
    ' s3.us-east-1.amazonaws.com',
    's3..us-east-1.amazonaws.com',
    '-.s3.us-east-1.amazonaws.com',
    'user:pass@s3.us-east-1.amazonaws.com:443',
    'https://s3.us-east-1.amazonaws.com',
    '',
    '.',
    `${'a.'.repeat(130)}s3.us-east-1.amazonaws.com`,
  ];
  test.each(tricks)('%j is refused as a host', (host) => {
    for (const service of ['s3', 'dynamodb']) expect(target(host, service, 'us-east-1')).toHaveProperty('refusal');
    expect(awsTunnel(host)).toBeUndefined();
  });
  test.each(tricks)('%j is refused as a service or a region', (text) => {
    expect(target('s3.us-east-1.amazonaws.com', text, 'us-east-1')).toHaveProperty('refusal');
    expect(target('s3.us-east-1.amazonaws.com', 's3', text)).toHaveProperty('refusal');
    expect(target(`s3.${text}.amazonaws.com`, 's3', text)).toHaveProperty('refusal');
    if (text !== '')
      expect(target(`my-bucket${text}.s3.us-east-1.amazonaws.com`, 's3', 'us-east-1')).not.toMatchObject({ bucket: 'my-bucket' });
  });
  test('names of prototypes are no services', () => {
    for (const name of ['constructor', '__proto__', 'toString'])
      expect(target(`${name}.us-east-1.amazonaws.com`, name, 'us-east-1')).toHaveProperty('refusal');
  });

  test('labels put together at random never lead outside the table', () => {
    const { prefixes, regionless } = awsHosts();
    const label = fc.oneof(
      fc.constantFrom(...[...prefixes.keys()].slice(0, 400), 's3', 's3-accelerate', 'dualstack', 'evil', 'elb', 'compute', 'ddb', 'vpce'),
      fc.constantFrom('us-east-1', 'us-gov-west-1', 'cn-north-1', '123456789012', 'api', 'aws', 'amazonaws', 'com', 'cn', 'on', 'global'),
      fc.constantFrom(
        'amazonaws.com',
        'api.aws',
        'amazonaws.com.cn',
        'us-east-1.amazonaws.com',
        's3.us-east-1.amazonaws.com',
        '@',
        ':443',
        '%2e',
      ),
      fc.stringMatching(/^[a-z0-9-]{1,12}$/),
      fc.constantFrom('us-east-1.amazonaws.com', 's3.us-east-1.amazonaws.com', 'us-east-1.api.aws'),
    );
    const services = [...new Set([...prefixes.values()].flat())];
    const s3 =
      /^([a-z0-9][a-z0-9.-]*\.)?s3(?:express|-fips|-accelerate|-accesspoint|-control|-object-lambda|-outposts|-us-|-external|-[a-z]|\.)/;
    let resolved = 0;
    fc.assert(
      fc.property(
        fc.array(label, { maxLength: 4 }),
        fc.constantFrom(...services),
        fc.constantFrom('us-east-1', 'cn-north-1', '*'),
        (parts, service, region) => {
          const text = parts.join('.');
          const found = target(text, prefixes.get(parts[0] ?? '')?.[0] ?? (text.includes('s3') ? 's3' : service), region);
          if ('refusal' in found) return;
          resolved++;
          const { host } = found;
          expect(text.replace(/:443$/, '')).toBe(host);
          expect(new URL(`https://${text}`).hostname).toBe(host);
          const ofTable = partitions.some((p) =>
            [p.dnsSuffix, p.dualStackSuffix].some(
              (suffix) => host.endsWith(`.${region}.${suffix}`) && prefixes.has(host.slice(0, -`.${region}.${suffix}`.length)),
            ),
          );
          expect(
            ofTable ||
              regionless.has(host) ||
              /^\d{12}\.(?:streams-)?ddb\.us-east-1\.(amazonaws\.com|api\.aws)$/.test(host) ||
              s3.test(host),
          ).toBe(true);
        },
      ),
      { numRuns: 20_000 },
    );
    expect(resolved).toBeGreaterThan(50);
  });
});
