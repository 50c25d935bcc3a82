import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { RequestHead } from '#requests/aws-request.ts';
import { describeRequest } from '#requests/describe-request.ts';

const name = (service: string, line: string, given: Partial<RequestHead> = {}): string | undefined => {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', query = ''] = target.split('?');
  const described = describeRequest({ method, path, query, headers: [], service, ...given });
  return 'refusal' in described ? 'refused' : described.operation;
};
/** As awsTarget says it, of hosts without a bucket. */
const at = (host: string) => ({ target: { host, isS3Control: /^(?:\d{12}\.)?s3-control[.-]/.test(host) } });

describe('the name of a request to a REST service', () => {
  test.each([
    ['lambda', 'POST /2015-03-31/functions/f/invocations', 'Invoke'],
    ['lambda', 'POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af/invocations?Qualifier=1', 'Invoke'],
    ['lambda', 'POST /2021-11-15/functions/f/response-streaming-invocations', 'InvokeWithResponseStream'],
    ['lambda', 'GET /2015-03-31/functions?MaxItems=1', 'ListFunctions'],
    ['lambda', 'GET /2015-03-31/functions/', 'ListFunctions'],
    ['lambda', 'GET /2015-03-31/functions/f', 'GetFunction'],
    ['bedrock', 'POST /model/anthropic.claude-v2:1/invoke', 'InvokeModel'],
    ['bedrock', 'POST /model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse-stream', 'ConverseStream'],
    ['route53', 'GET /2013-04-01/hostedzone', 'ListHostedZones'],
    ['route53', 'POST /2013-04-01/hostedzone/Z1/rrset', 'ChangeResourceRecordSets'],
    ['route53', 'POST /2013-04-01/hostedzone/Z1/rrset/', 'ChangeResourceRecordSets'],
    ['cloudfront', 'POST /2020-05-31/distribution', 'CreateDistribution'],
    ['cloudfront', 'POST /2020-05-31/distribution?WithTags', 'CreateDistributionWithTags'],
    ['cloudfront', 'POST /2020-05-31/distribution?WithTags=', 'CreateDistributionWithTags'],
    ['cloudfront', 'POST /2020-05-31/tagging?Operation=Tag&Resource=a', 'TagResource'],
    ['kafka', 'GET /v1/clusters/arn%3Aaws%3Akafka%3Aeu-west-1%3A1%3Acluster%2Fa%2Fb/bootstrap-brokers', 'GetBootstrapBrokers'],
    ['apigateway', 'GET /v2/apis', 'GetApis'],
    ['glacier', 'POST /-/vaults/v/archives', 'UploadArchive'],
    ['mediastore', 'GET /a/b/c', 'GetObject'],
    ['mediastore', 'GET /', 'ListItems'],
    ['iot', 'GET /destinations/arn:aws:iot:x/y/z', 'GetTopicRuleDestination'],
  ])('%s: %s is %s', (service, line, operation) => expect(name(service, line)).toBe(operation));

  // A wrong name in the log is worse than none.
  test.each([
    ['an empty segment', 'lambda', 'GET /2015-03-31/functions//policy'],
    ['an empty segment in front', 'lambda', 'GET //2015-03-31/functions'],
    ['a slash at the end that no model has', 'lambda', 'GET /2015-03-31/functions/f/'],
    ['a dotted segment', 'lambda', 'GET /2015-03-31/functions/..'],
    ['an escaped one', 'lambda', 'GET /2015-03-31/functions/%2E%2e'],
    ['one within a label', 'lambda', 'GET /2015-03-31/functions/a%2F..%2Fb'],
    ['one that is escaped twice', 'lambda', 'GET /2015-03-31/functions/a%252F..%252Fb'],
    ['a label that a router could split into another path', 'lambda', 'GET /2015-03-31/functions/f%2Fpolicy'],
    ['the same by a backslash', 'lambda', 'GET /2015-03-31/functions/f%5Cpolicy'],
    ['the same escaped twice', 'lambda', 'GET /2015-03-31/functions/f%252Fpolicy'],
    ['a parameter of a segment', 'lambda', 'GET /2015-03-31/functions/f;v=1'],
    ['a broken escape', 'lambda', 'GET /2015-03-31/functions/%zz'],
    ['bytes that are no UTF-8', 'lambda', 'GET /2015-03-31/functions/%ff'],
    ['more segments than are looked at', 'iot', `GET /destinations${'/a'.repeat(64)}`],
    ['a word with an escape', 'lambda', 'GET /2015-03-31/%66unctions/f'],
    ['a word in other letters', 'lambda', 'GET /2015-03-31/Functions/f'],
    ['a method in other letters', 'lambda', 'get /2015-03-31/functions/f'],
    ['a method that the path has not', 'lambda', 'PATCH /2015-03-31/functions/f'],
    ['a word whose own path has other methods', 'apigateway', 'DELETE /restapis/a/resources/b/methods/c/integration/responses'],
    ['a bare name that no model has', 'cloudfront', 'POST /2020-05-31/distribution?WithNews'],
    ['another value of a parameter that tells operations apart', 'apigateway', 'POST /restapis?mode=other'],
    ['two of them', 'apigateway', 'POST /restapis?mode=import&mode=import'],
    ['its name in other letters', 'apigateway', 'POST /restapis?Mode=import'],
    ['a query that two readers read differently', 'apigateway', 'POST /restapis?mode=import;x'],
    ['an API of a customer', 'execute-api', 'POST /@connections/x'],
    ['a service of no table', 'brand-new', 'GET /'],
  ])('%s has none', (_, service, line) => expect(name(service, line)).toBeUndefined());

  test('another method than that of the request line leaves none', () => {
    const headers = ['X-HTTP-Method-Override', 'DELETE'];
    expect(name('lambda', 'GET /2015-03-31/functions/f', { headers })).toBeUndefined();
    expect(name('lambda', 'GET /2015-03-31/functions/f?_method=DELETE')).toBeUndefined();
  });

  test('the host tells services of one signing name apart, and without one what they have alike has no name', () => {
    expect(name('bedrock', 'POST /agents/A/', at('bedrock-agent.eu-west-1.amazonaws.com'))).toBe('PrepareAgent');
    expect(name('bedrock', 'POST /agents/A', at('bedrock-agent-runtime.eu-west-1.amazonaws.com'))).toBe('InvokeInlineAgent');
    expect(name('bedrock', 'POST /agents/A')).toBeUndefined();
    expect(name('bedrock', 'POST /model/m/invoke', at('bedrock-agent.eu-west-1.amazonaws.com'))).toBeUndefined();
    expect(name('bedrock', 'POST /model/m/invoke', at('vpce-1-a.bedrock-runtime.eu-west-1.vpce.amazonaws.com'))).toBe('InvokeModel');
    expect(name('route53', 'GET /2013-04-01/hostedzone', at('route53.amazonaws.com'))).toBe('ListHostedZones');
    expect(name('iotsitewise', 'GET /assets', at('api.iotsitewise-fips.us-east-1.amazonaws.com'))).toBe('ListAssets');
    const control = at('111122223333.s3-control.dualstack.eu-west-1.amazonaws.com');
    expect(name('s3', 'GET /v20180820/mrap/instances/a/policy', control)).toBe('GetMultiRegionAccessPointPolicy');
    expect(name('s3', 'GET /v20180820/mrap/instances/a/b', control)).toBe('GetMultiRegionAccessPoint');
  });

  test.each([
    ['lambda', 'GET /2015-03-31/functions', 'abc.lambda-url.eu-west-1.on.aws'],
    ['es', 'GET /2021-01-01/domain', 'search-mine-x.eu-west-1.es.amazonaws.com'],
    ['lambda', 'GET /2015-03-31/functions', 'lambda.example.com'],
  ])("a host of a customer's own has none of %s's names", (service, line, host) => expect(name(service, line, at(host))).toBeUndefined());

  test('no name of an operation that a rule hangs on is given to a request that its rule does not meet', () => {
    expect(name('datazone', 'GET /v2/domains/d/connections/c')).toBeUndefined();
    expect(name('datazone', 'GET /v2/domains/d/connections/c?withSecret=true')).toBe('GetConnection');
    expect(name('datazone', 'GET /v2/domains/d/environments/e%2Fcredentials')).toBe('GetEnvironmentCredentials');
    expect(name('datazone', 'GET /v2/domains/d/environments/e')).toBe('GetEnvironment');
  });
});

/** What the rule of an operation that hands out keys, or takes no signature, takes for it: `POST /v1/token`, whatever its query. */
const takenFor: Readonly<Record<string, string>> = {
  CreateBearerToken: 'CreateOAuth2Token',
  CreateOAuth2TokenWithIAM: 'CreateOAuth2Token',
  CreateOAuth2TokenWithTokenExchange: 'CreateOAuth2Token',
  CreateTokenWithIAM: 'CreateToken',
};

const hasBotocore = spawnSync('python3', ['-c', 'import botocore.session']).status === 0;
const mustRun = process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined;
test.skipIf(!hasBotocore && !mustRun)(
  'every operation of every REST service has the name by which botocore wrote it, or none (needs botocore)',
  () => {
    const python = spawnSync('python3', ['-c', botocoreRequests], { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
    expect(python.stderr).toBe('');
    type Sent = Omit<RequestHead, 'target'> & { readonly name: string; readonly host: string; readonly fill: string };
    const { version, sent }: { readonly version: string; readonly sent: readonly Sent[] } = JSON.parse(python.stdout);
    expect(sent.length).toBeGreaterThan(25_000);
    const wrong: string[] = [];
    const unnamed = new Map<string, number>();
    for (const one of sent) {
      // S3 and S3 Control are told apart by host, or by the account
      for (const given of [at(one.host), ...(one.service === 's3' ? [] : [{}])]) {
        const described = describeRequest({ ...one, ...given });
        const ours = 'refusal' in described ? described.refusal : described.operation;
        const kind = `${one.fill}${'target' in given ? '' : ', no host'}`;
        if (ours === undefined) unnamed.set(kind, (unnamed.get(kind) ?? 0) + 1);
        else if (ours !== one.name && ours !== takenFor[one.name])
          wrong.push(`${kind}: ${one.service} ${one.method} ${one.path}?${one.query} is ${one.name} and not ${ours}`);
      }
    }
    const shares = Object.fromEntries([...unnamed].map(([kind, count]) => [kind, count / (sent.length / 3)]));
    if (process.env['SHOW_SHARES'] !== undefined) console.log(sent.length, shares);
    // of another botocore the table does not have what is new
    const isSame = readFileSync(new URL('../../data/aws-rest-operations.txt', import.meta.url), 'utf8').startsWith(`botocore ${version} `);
    expect(wrong.length / sent.length, wrong.join('\n')).toBeLessThanOrEqual(isSame ? 0 : 0.005);
    expect(shares['plain'] ?? 0).toBeLessThan(isSame ? 0.001 : 0.15);
    expect(shares['ARNs, all members'] ?? 0).toBeLessThan(isSame ? 0.005 : 0.15);
  },
  300_000,
);

// what a client of botocore would send: its own serializer, endpoint rules and host prefixes; plain values, ARNs, and what no name has
const botocoreRequests = `
import sys, json, warnings
warnings.simplefilter('ignore')
import botocore, botocore.session, botocore.exceptions
from botocore.config import Config
def value(shape, text, whole, depth=0):
    kind = shape.type_name
    if kind == 'structure':
        if depth > 3: return {}
        names = shape.members if whole and depth == 0 else shape.required_members
        return {name: '1' * 12 if name == 'AccountId' else value(shape.members[name], text, whole, depth + 1) for name in names}
    if kind == 'list': return [value(shape.member, text, whole, depth + 1)]
    if kind == 'map': return {'k': value(shape.value, text, whole, depth + 1)}
    return {'boolean': True, 'integer': 1, 'long': 1, 'float': 1.0, 'double': 1.0, 'timestamp': 0, 'blob': b'x'}.get(kind, text)
session = botocore.session.get_session()
session.set_credentials('AKIAIOSFODNN7EXAMPLE', 'x' * 40)
out = []
# S3 has a table of its own; bearer tokens; hosts that are customers' APIs
for service in sorted(set(session.get_available_services()) - {'s3', 'codecatalyst', 'apigatewaymanagementapi'}):
    if not {'rest-json', 'rest-xml'} & {session.get_service_model(service).protocol, *session.get_service_model(service).metadata.get('protocols', ())}: continue
    client = session.create_client(service, region_name='eu-west-1', config=Config(
        parameter_validation=False, sigv4a_signing_region_set=None, inject_host_prefix=service != 's3control'))
    signing = client.meta.service_model.signing_name
    rest = client.meta.service_model.resolved_protocol.startswith('rest-')
    for name in client.meta.service_model.operation_names if rest else ():
        model = client.meta.service_model.operation_model(name)
        for fill, text, whole in (('plain', 'abcdefgh12', False), ('ARNs, all members', 'arn:aws:x:eu-west-1:1:y/z.w', True), ('odd', 'a b;c%2Fd&e', False)):
            try:
                params = value(model.input_shape, text, whole) if model.input_shape else {}
                context = {'client_region': 'eu-west-1', 'client_config': client.meta.config, 'has_streaming_input': False, 'auth_type': None}
                endpoint, headers, properties = client._resolve_endpoint_ruleset(model, params, context)
                request = client._convert_to_request_dict(params, model, endpoint, context=context, headers=headers)
            except (botocore.exceptions.BotoCoreError, TypeError, ValueError, AttributeError):
                continue
            url = request['url'].split('/', 3)
            path, _, query = url[3].partition('?')
            account = [x for k, v in request['headers'].items() if k.lower() == 'x-amz-account-id' for x in (k, v)]
            out.append({'name': name, 'fill': fill, 'service': context.get('signing', {}).get('signing_name') or signing, 'method': request['method'],
                'path': '/' + path, 'query': query, 'host': url[2], 'headers': account})
    client.close()
json.dump({'version': botocore.__version__, 'sent': out}, sys.stdout)
`;
