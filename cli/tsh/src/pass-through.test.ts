import { describe, expect, it } from 'vitest';
import { withPassThrough } from '#pass-through.ts';

const split = (line: string) => withPassThrough(line.split(' ')).join(' ');

describe('what tsh aws hands on', () => {
  it.each([
    ['aws s3 ls', 'aws -- s3 ls'],
    ['aws dynamodb list-tables --region eu-west-1', 'aws -- dynamodb list-tables --region eu-west-1'],
    ['aws --app aws --aws-role=R s3 ls --profile x', 'aws --app aws --aws-role=R -- s3 ls --profile x'],
    ['--proxy example.com:443 --user=alice aws s3 help', '--proxy example.com:443 --user=alice aws -- s3 help'],
    ['aws --exec terraform plan -h', 'aws --exec terraform -- plan -h'],
    ['aws configure list', 'aws -- configure list'],
    ['aws --app aws configure get region --profile x', 'aws --app aws -- configure get region --profile x'],
    ['aws --version', 'aws -- --version'],
    ['aws --endpoint-url=x s3 ls', 'aws -- --endpoint-url=x s3 ls'],
  ])('%s', (line, expected) => expect(split(line)).toBe(expected));

  it.each([
    'aws',
    'aws --help',
    'aws configure --aws-role=R --profile x',
    'aws --app aws configure',
    'aws -- s3 ls',
    'proxy aws -p 23456',
    'apps login --aws-role R aws',
    'login --proxy=example.com:443 --user=aws',
    '--proxy aws login',
  ])('leaves %s as it is', (line) => expect(split(line)).toBe(line));
});
