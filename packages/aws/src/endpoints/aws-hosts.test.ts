import { describe, expect, test } from 'vitest';
import { awsTarget } from '#endpoints/aws-target.ts';

const region = 'eu-west-1';
const target = (host: string, service: string): ReturnType<typeof awsTarget> => awsTarget({ host, scope: { service, region } });

describe('hosts that single operations choose', () => {
  test.each([
    'search-dynamodb.eu-west-1.amazonaws.com',
    'search-dynamodb.eu-west-1.api.aws',
    'search-dynamodb-fips.eu-west-1.amazonaws.com',
    'search-dynamodb-fips.eu-west-1.api.aws',
  ])('%s is DynamoDB’s, and no label in front of it is', (host) => {
    expect(target(host, 'dynamodb')).toMatchObject({ host, service: 'dynamodb' });
    expect(target(host, 's3')).toHaveProperty('refusal');
    expect(target(`somebody.${host}`, 'dynamodb')).toHaveProperty('refusal');
  });

  // Each operation of ACM says which host it wants. The rules answered nothing when they were not told, and all of ACM was missing.
  test.each(['acm.eu-west-1.amazonaws.com', 'acm-fips.eu-west-1.amazonaws.com', 'acm.eu-west-1.api.aws', 'acm-acme.eu-west-1.api.aws'])(
    '%s is ACM’s',
    (host) => expect(target(host, 'acm')).toMatchObject({ host, service: 'acm' }),
  );

  test.each([
    ['abcdefgh12.osm.eu-west-1.on.aws', 'osm'],
    ['g-1234567890.eu-west-1.neptune-graph.amazonaws.com', 'neptune-graph'],
    // Nobody is at the end of it without the id of a graph.
    ['eu-west-1.neptune-graph.amazonaws.com', 'neptune-graph'],
    // Bearer tokens alone.
    ['account-access-runtime.eu-west-1.api.aws', 'account-access'],
  ])('%s holds an id of a customer, or takes no signature, and is in no table', (host, service) =>
    expect(target(host, service)).toHaveProperty('refusal'),
  );
});
