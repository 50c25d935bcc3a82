import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { endpointHost, type EndpointHostInput } from '#endpoints/endpoint-host.ts';
import { scopeOfHost } from '#endpoints/scope-of-host.ts';
import { ageOf } from '#testing/botocore-version.ts';

/** The table's own word of the botocore that it was made from. */
const { source }: { source: string } = JSON.parse(readFileSync(new URL('../../data/aws-endpoints.json', import.meta.url), 'utf8'));
const [, madeFrom = ''] = /^botocore (\S+) /.exec(source) ?? [];

const ask = (given: Partial<EndpointHostInput>) =>
  endpointHost({ method: 'POST', path: '/', query: '', headers: [], service: 'dynamodb', region: 'eu-west-1', ...given });
const form = ['content-type', 'application/x-www-form-urlencoded'];
const target = (text: string) => ['x-amz-target', text];

describe('endpointHost', () => {
  test.each<[string, Partial<EndpointHostInput>]>([
    ['dynamodb.eu-west-1.amazonaws.com', { headers: target('DynamoDB_20120810.ListTables') }],
    ['streams.dynamodb.eu-west-1.amazonaws.com', { headers: target('DynamoDBStreams_20120810.ListStreams') }],
    ['dynamodb.cn-north-1.amazonaws.com.cn', { region: 'cn-north-1', headers: target('DynamoDB_20120810.ListTables') }],
    ['s3.eu-west-1.amazonaws.com', { service: 's3', method: 'GET' }],
    ['s3.us-east-1.amazonaws.com', { service: 's3', method: 'GET', region: 'us-east-1' }],
    ['111122223333.s3-control.eu-west-1.amazonaws.com', { service: 's3', headers: ['X-Amz-Account-Id', '111122223333'] }],
    ['sts.eu-west-1.amazonaws.com', { service: 'sts' }],
    ['lambda.eu-west-1.amazonaws.com', { service: 'lambda', path: '/2015-03-31/functions/' }],
    ['email.eu-west-1.amazonaws.com', { service: 'ses', headers: form }],
    ['email.eu-west-1.amazonaws.com', { service: 'ses', path: '/v2/email/outbound-emails' }],
    ['mail-manager.eu-west-1.amazonaws.com', { service: 'ses', headers: target('MailManagerSvc.ListArchives') }],
    ['api.sagemaker.eu-west-1.amazonaws.com', { service: 'sagemaker', headers: target('SageMaker.ListModels') }],
    ['runtime.sagemaker.eu-west-1.amazonaws.com', { service: 'sagemaker', path: '/endpoints/e/invocations' }],
    ['bedrock.eu-west-1.amazonaws.com', { service: 'bedrock', method: 'GET', path: '/foundation-models' }],
    ['bedrock-runtime.eu-west-1.amazonaws.com', { service: 'bedrock', path: '/model/anthropic.claude-v2%3A1/converse' }],
    ['bedrock-agent-runtime.eu-west-1.amazonaws.com', { service: 'bedrock', path: '/agents/A/agentAliases/B/sessions/C/text' }],
    ['bedrock-agent.eu-west-1.amazonaws.com', { service: 'bedrock', method: 'GET', path: '/agents/A/agentAliases/B' }],
    ['sync-states.eu-west-1.amazonaws.com', { service: 'states', headers: target('AWSStepFunctions.StartSyncExecution') }],
    ['iam-toolbox.eu-west-1.amazonaws.com', { service: 'iam', path: '/request-authorization' }],
    ['transcribestreaming.eu-west-1.amazonaws.com', { service: 'transcribe', path: '/stream-transcription' }],
    ['cn.transcribestreaming.cn-north-1.amazonaws.com.cn', { service: 'transcribe', path: '/stream-transcription', region: 'cn-north-1' }],
    ['transcribe.eu-west-1.amazonaws.com', { service: 'transcribe', headers: target('Transcribe.ListTranscriptionJobs') }],
    ['states.eu-west-1.amazonaws.com', { service: 'states', headers: target('AWSStepFunctions.StartExecution') }],
    ['search-dynamodb.eu-west-1.amazonaws.com', { headers: target('DynamoDB_20120810.SearchVectors') }],
    ['acm.eu-west-1.amazonaws.com', { service: 'acm', headers: target('CertificateManager.ListCertificates') }],
    ['acm-acme.eu-west-1.api.aws', { service: 'acm', headers: target('CertificateManager.ListAcmeEndpoints') }],
    ['kinesis.eu-west-1.amazonaws.com', { service: 'kinesis', headers: target('Kinesis_20131202.PutRecord') }],
    ['osm.eu-west-1.api.aws', { service: 'osm', headers: target('OpenSearchMemory.ListSpaces') }],
  ])('%s', (host, given) =>
    expect(ask(given)).toMatchObject({ host, region: given.region ?? 'eu-west-1', service: given.service ?? 'dynamodb' }),
  );

  test.each([
    ['iam', 'eu-west-1', 'iam.amazonaws.com', 'us-east-1'],
    ['iam', 'us-gov-east-1', 'iam.us-gov.amazonaws.com', 'us-gov-west-1'],
    ['iam', 'cn-northwest-1', 'iam.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['route53', 'ap-south-1', 'route53.amazonaws.com', 'us-east-1'],
    ['organizations', 'eu-west-1', 'organizations.us-east-1.amazonaws.com', 'us-east-1'],
    ['networkmanager', 'eu-west-1', 'networkmanager.us-west-2.amazonaws.com', 'us-west-2'],
    // Its rules name SigV4a first, which has no region; SigV4's is another than the one asked for.
    ['partnercentral', 'eu-west-1', 'partnercentral-prm.global.api.aws', 'us-east-1'],
  ])('%s asked for in %s is at %s, signed for %s', (service, region, host, signed) =>
    expect(ask({ service, region, headers: form })).toMatchObject({ host, region: signed }),
  );

  test.each<[string, Partial<EndpointHostInput>, RegExp]>([
    ['an agent of Bedrock that two services have alike', { service: 'bedrock', path: '/agents/A' }, /several hosts.*tsh proxy aws/],
    ['a path that none of them has', { service: 'sagemaker', path: '/nowhere' }, /several hosts.*tsh proxy aws/],
    ['a target that none of them has', { service: 'dynamodb', headers: target('DynamoDB_20111205.GetItem') }, /several hosts/],
    ['no target', {}, /several hosts/],
    [
      'two targets',
      { headers: [...target('DynamoDB_20120810.GetItem'), ...target('DynamoDBStreams_20120810.GetRecords')] },
      /several hosts/,
    ],
    ['endpoint discovery', { headers: target('DynamoDB_20120810.DescribeEndpoints') }, /endpoint discovery would lead past this port/],
    ['an API of a customer', { service: 'execute-api', path: '/stage/pets' }, /tsh proxy aws/],
    ['a host with an id of the customer', { service: 'osm', headers: target('OpenSearchMemory.GetMemory') }, /several hosts/],
    ['a later operation of ACM', { service: 'acm', headers: target('CertificateManager.New') }, /several/],
    ['a service of no table', { service: 'brand-new' }, /tsh proxy aws/],
    ['a service that is a host', { service: 'evil.com/', region: 'eu-west-1' }, /tsh proxy aws/],
    ['a bucket of S3 Express', { service: 's3express' }, /name the bucket/],
    ['an access point of Object Lambda', { service: 's3-object-lambda' }, /name the bucket/],
    ['a multi-region access point', { service: 's3', region: '*' }, /tsh proxy aws/],
    ['a region of no partition', { region: 'nowhere' }, /no AWS partition/],
    ['a region that is a host', { service: 'sts', region: 'x.evil.com#' }, /no AWS partition/],
    ['an account id that is none', { service: 's3', headers: ['x-amz-account-id', 'evil.com/'] }, /account id/],
    ['two account ids', { service: 's3', headers: ['x-amz-account-id', '111122223333', 'X-Amz-Account-Id', '444455556666'] }, /account id/],
  ])('%s is refused', (_, given, reason) => expect(ask(given)).toEqual({ refusal: expect.stringMatching(reason) }));

  const hasBotocore = spawnSync('python3', ['-c', 'import botocore.session']).status === 0;
  const mustRun = process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined;
  test.skipIf(!hasBotocore && !mustRun)(
    'sends every operation of services with several hosts, and one of each other, where botocore sends it, or nowhere (needs botocore)',
    () => {
      const python = spawnSync('python3', ['-c', botocoreRequests], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
      expect(python.stderr).toBe('');
      type Sent = Omit<EndpointHostInput, 'query'> & { readonly name: string; readonly host: string; readonly signed: string };
      const sent: readonly Sent[] = JSON.parse(python.stdout);
      expect(sent.length).toBeGreaterThan(3000);
      const elsewhere: string[] = [];
      const nowhere: string[] = [];
      for (const one of sent) {
        const ours = endpointHost({ ...one, query: '' });
        if ('refusal' in ours) nowhere.push(one.name);
        else if (ours.host !== one.host || ours.region !== one.signed) elsewhere.push(`${one.name}: ${ours.host} and not ${one.host}`);
      }
      const version = spawnSync('python3', ['-c', 'import botocore; print(botocore.__version__)'], { encoding: 'utf8' }).stdout;
      expect(madeFrom).toMatch(/^\d+\.\d+\.\d+$/);
      // Another botocore has other operations than the table: most are refused, and hardly one is taken for another host's.
      const [mayBeElsewhere, mayBeNowhere] = ageOf(version, madeFrom) === 'same' ? [0, 0.025] : [0.005, 0.15];
      expect(elsewhere.length / sent.length, elsewhere.join('\n')).toBeLessThanOrEqual(mayBeElsewhere);
      expect(nowhere.length / sent.length).toBeLessThan(mayBeNowhere);
    },
    120_000,
  );
});

describe('scopeOfHost', () => {
  test.each([
    ['cognito-idp.eu-west-1.amazonaws.com', 'cognito-idp', 'eu-west-1'],
    ['portal.sso.eu-west-1.amazonaws.com', 'awsssoportal', 'eu-west-1'],
    ['oidc.eu-west-1.amazonaws.com', 'sso-oauth', 'eu-west-1'],
    ['sts.amazonaws.com', 'sts', 'us-east-1'],
    ['sts.cn-north-1.amazonaws.com.cn', 'sts', 'cn-north-1'],
    ['bucket.s3.eu-west-1.amazonaws.com', 's3', 'eu-west-1'],
  ])('%s is %s in %s', (host, service, region) => expect(scopeOfHost(host)).toEqual({ service, region }));

  test.each([
    'evil.com',
    'x.execute-api.eu-west-1.amazonaws.com',
    'cognito-idp.cn-north-1.amazonaws.com',
    'cloudfront.amazonaws.com',
    '127.0.0.1',
  ])('%s is none', (host) => expect(scopeOfHost(host)).toBeUndefined());
});

// what a client of botocore would send: its own serializer, endpoint rules and host prefixes
const botocoreRequests = `
import sys, json, warnings
warnings.simplefilter('ignore')
import botocore.session, botocore.exceptions
from botocore.config import Config
def value(shape, depth=0):
    kind = shape.type_name
    if kind == 'structure':
        if depth > 3: return {}
        return {name: value(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == 'list': return [value(shape.member, depth + 1)]
    if kind == 'map': return {'k': value(shape.value, depth + 1)}
    return {'boolean': True, 'integer': 1, 'long': 1, 'float': 1.0, 'double': 1.0, 'timestamp': 0, 'blob': b'x'}.get(kind, 'abcdefgh12')
session = botocore.session.get_session()
session.set_credentials('AKIAIOSFODNN7EXAMPLE', 'x' * 40)
several = {'appconfig', 'aws-marketplace', 'bedrock', 'bedrock-agentcore', 'cassandra', 'chime', 'cloudhsm', 'connect', 'dataexchange', 'deadline', 'aidevops',
  'dynamodb', 'forecast', 'geo', 'health-agent', 'iotsitewise', 'iottwinmaker', 'ivs', 'lakeformation', 'lex', 'logs', 'medical-imaging', 'mgh', 'airflow', 'omics',
  'payment-cryptography', 'personalize', 'rum', 'sagemaker', 'servicecatalog', 'servicediscovery', 'ses', 'signer', 'sms-voice', 'states', 'timestream'}
# SigV2, sign-in, hosts of customers, and S3, which the cases above have
leave = {'sdb', 'importexport', 'signin', 'apigatewaymanagementapi', 'cloudsearchdomain', 'mediastore-data', 'iot-data', 's3', 's3control', 's3outposts',
  'cloudfront-keyvaluestore', 'connectparticipant', 'route53-recovery-cluster'}
out = []
elsewhere = {'iam', 'sts', 'ec2', 'route53', 'cloudfront', 'organizations', 'support', 'budgets', 'ce', 'dynamodb', 'account', 'marketplace-entitlement', 'transcribe'}
for service in session.get_available_services():
    if service in leave: continue
    for region in ('eu-west-1', 'us-gov-west-1', 'cn-north-1') if service in elsewhere else ('eu-west-1',):
        client = session.create_client(service, region_name=region, config=Config(parameter_validation=False, sigv4a_signing_region_set=None))
        spoken = client.meta.service_model
        signing = spoken.signing_name
        # bearer tokens alone: such a request has no scope to go by
        if spoken.signature_version == 'bearer': continue
        names = spoken.operation_names
        # rules that ask the operation, for a flag of its own or an id of the customer
        choose = any(p.builtin is None for p in client._ruleset_resolver._param_definitions.values())
        if not (signing in several or choose) or region != 'eu-west-1': names = names[:1]
        for name in names:
            model = spoken.operation_model(name)
            try:
                params = value(model.input_shape) if model.input_shape else {}
                context = {'client_region': region, 'client_config': client.meta.config, 'has_streaming_input': False, 'auth_type': None}
                endpoint, headers, properties = client._resolve_endpoint_ruleset(model, params, context)
                request = client._convert_to_request_dict(params, model, endpoint, context=context, headers=headers)
            except botocore.exceptions.BotoCoreError:
                continue
            url = request['url'].split('/', 3)
            signed = context.get('signing', {}).get('region') or region
            sent = {k: str(v) for k, v in request['headers'].items() if k.lower() in ('x-amz-target', 'content-type')}
            out.append({'name': service + ':' + name + ' in ' + region, 'service': signing, 'region': region, 'method': request['method'],
                'path': '/' + url[3].split('?')[0], 'headers': [x for pair in sent.items() for x in pair], 'host': url[2], 'signed': signed})
        client.close()
json.dump(out, sys.stdout)
`;
