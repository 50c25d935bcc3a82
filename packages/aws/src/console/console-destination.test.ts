import { describe, expect, test } from 'vitest';
import { consoleDestination, consolePartitionOf } from '#console/console-destination.ts';
import type { PartitionId } from '#endpoints/partitions.ts';

const uri = 'https://console.aws.amazon.com/console/home';
const to = (destination: string, partition: PartitionId = 'aws', own = uri) => consoleDestination({ uri: own, destination, partition });

describe('consoleDestination', () => {
  test.each([
    ['', uri],
    ['https://console.aws.amazon.com/dynamodbv2/home', 'https://console.aws.amazon.com/dynamodbv2/home'],
    [
      'https://us-west-2.console.aws.amazon.com/ec2/home?region=us-west-2#Instances:',
      'https://us-west-2.console.aws.amazon.com/ec2/home?region=us-west-2#Instances:',
    ],
    [
      'https://console.aws.amazon.com/go/view?service=s3&region=eu-west-1&account=123456789012',
      'https://console.aws.amazon.com/go/view?service=s3&region=eu-west-1&account=123456789012',
    ],
    ['https://console.aws.amazon.com:443/s3/home', 'https://console.aws.amazon.com/s3/home'],
    ['console.aws.amazon.com', 'https://console.aws.amazon.com/'],
    ['https://health.aws.amazon.com/health/home', 'https://health.aws.amazon.com/health/home'],
    ['https://lightsail.aws.amazon.com/ls/webapp', 'https://lightsail.aws.amazon.com/ls/webapp'],
    ['/s3/home?region=eu-west-1', 'https://console.aws.amazon.com/s3/home?region=eu-west-1'],
  ])('%j is a page of the console', (destination, url) => expect(to(destination)).toEqual({ url }));

  test.each<[PartitionId, string]>([
    ['aws-cn', 'https://console.amazonaws.cn/console/home'],
    ['aws-cn', 'https://cn-north-1.console.amazonaws.cn/s3/home'],
    ['aws-us-gov', 'https://console.amazonaws-us-gov.com/console/home'],
    ['aws-us-gov', 'https://us-gov-west-1.console.amazonaws-us-gov.com/console/home'],
    ['aws-eusc', 'https://eusc-de-east-1.console.amazonaws-eusc.eu/console/home'],
  ])('%s has its own: %s', (partition, own) => {
    expect(consoleDestination({ uri: own, partition })).toEqual({ url: own });
    expect(consolePartitionOf(own)).toBe(partition);
    expect(to(uri, partition, own)).toEqual({ refusal: expect.stringContaining(`the application is in ${partition}`) });
  });

  test.each([
    'https://console.aws.amazon.com.evil.com/',
    'https://evil.com/console.aws.amazon.com',
    'https://evilconsole.aws.amazon.com/',
    'https://x.console.aws.amazon.com/',
    'https://us-west-2.evil.console.aws.amazon.com/',
    'https://us-gov-west-1.console.aws.amazon.com/',
    'https://cn-north-1.console.aws.amazon.com/',
    'https://signin.aws.amazon.com/oauth?redirect_uri=https://evil.com',
    'https://aws.amazon.com/',
    'https://s3.amazonaws.com/evil/index.html',
    'https://user@console.aws.amazon.com/',
    'https://console.aws.amazon.com@evil.com/',
    'https://console.aws.amazon.com:443@evil.com/',
    'https://console.aws.amazon.com:8443/',
    'https://console.aws.amazon.com:80/',
    'https://evil.com\\.console.aws.amazon.com/',
    'https://console.aws.amazon.com\\@evil.com/',
    'https://console.aws.amazon.com/\\evil.com',
    'https:\\\\evil.com',
    '//evil.com',
    '///evil.com',
    '/\\evil.com',
    'https://console.aws.amazon.com//evil.com',
    'https://console.aws.amazon.com/.//evil.com',
    'https://console.aws.amazon.com#@evil.com/',
    'https://console.aws.amazon.com?@evil.com/',
    'https:/console.aws.amazon.com/',
    'http://console.aws.amazon.com/',
    'javascript:alert(1)//console.aws.amazon.com',
    'data:text/html,console.aws.amazon.com',
    'evil.com://console.aws.amazon.com/',
    'https://console.aws.amazon.com./',
    'https://CONSOLE.AWS.AMAZON.COM/',
    'https://console。aws.amazon.com/',
    'https://\u212aonsole.aws.amazon.com/',
    'https://console.aws.amazon.com%2eevil.com/',
    'https://console.aws.amazon.com/\n@evil.com',
    'https://con\tsole.aws.amazon.com/',
    ' https://console.aws.amazon.com/',
    'https://console.amazonaws.cn/console/home',
    'https://eusc-de-east-1.console.amazonaws-eusc.eu/',
    '0x7f.1',
    '[::1]',
    'localhost',
  ])('%j is refused', (destination) => {
    expect(to(destination)).toEqual({ refusal: expect.stringMatching(/^the destination /) });
  });

  test('2048 characters are an address, and one more is none', () => {
    const longest = `${uri}?`.padEnd(2048, 'x');
    expect(to(longest)).toEqual({ url: longest });
    expect(to(`${longest}x`)).toHaveProperty('refusal');
  });

  test('the secret regions are refused in words, and an application whose address is no console too', () => {
    expect(consoleDestination({ uri, partition: 'aws-iso' })).toEqual({
      refusal: expect.stringContaining('partition aws-iso cannot be signed in to'),
    });
    expect(consoleDestination({ uri: 'https://grafana.example.com', partition: 'aws' })).toEqual({
      refusal: expect.stringContaining('the address of the application leads to grafana.example.com'),
    });
    expect(consolePartitionOf('https://grafana.example.com')).toBeUndefined();
    expect(consolePartitionOf('https://console.amazonaws-eusc.eu/')).toBeUndefined();
  });
});
