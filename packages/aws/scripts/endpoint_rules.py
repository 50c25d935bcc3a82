"""What botocore's endpoint rule sets answer, for the collectors of data/."""
import re

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader

loader = Loader()
partitions = loader.load_data('partitions')
suffixes = sorted(
    {p['outputs'][key] for p in partitions['partitions'] for key in ('dnsSuffix', 'dualStackDnsSuffix')}, key=len, reverse=True
)
regions = [region for p in partitions['partitions'] for region in p['regions']]
real = {region for region in regions if not region.endswith('-global')}
# Its hosts have rules of their own here (s3-hosts.ts), and most of them name a bucket.
S3 = {'s3', 's3control', 's3outposts'}
# Stands for the id of a customer: no host of AWS's own has it.
SOMEBODY = 'id-of-somebody'


def signing_of(service):
    model = loader.load_service_model(service, 'service-2')['metadata']
    return model.get('signingName', model['endpointPrefix']), model


def operations_of(service):
    """The labels that single operations put in front of the host, where they are fixed."""
    for operation in loader.load_service_model(service, 'service-2')['operations'].values():
        prefix = operation.get('endpoint', {}).get('hostPrefix', '')
        if prefix and '{' not in prefix and prefix.endswith(('.', '-')):
            yield prefix


def given_by(operation):
    """What an operation always gives the rules of its service, to choose among the service's hosts."""
    return {name: param['value'] for name, param in operation.get('staticContextParams', {}).items()}


def names_somebody(service, model, operation):
    """Whether the host holds an id that the client has to fill in: such a host is a customer's, and never in a table."""
    if '{' in operation.get('endpoint', {}).get('hostPrefix', ''):
        return True
    shape = model['shapes'][operation['input']['shape']] if 'input' in operation else {'members': {}}
    needed = [shape['members'][member].get('contextParam') for member in shape.get('required', ())]
    filled = {param['name']: SOMEBODY for param in needed if param}
    return bool(filled) and any(SOMEBODY in host for host, *_ in answers(service, {**given_by(operation), **filled}))


def all_given(service):
    """What the operations of a service give its rules, each once; nothing is among them."""
    found = [{}]
    model = loader.load_service_model(service, 'service-2')
    for operation in model['operations'].values() if service not in S3 else ():
        given = given_by(operation)
        if given not in found and not names_somebody(service, model, operation):
            found.append(given)
    return found


def answers(service, given):
    """(host, signing name, signing region, (fips, dual-stack), region asked for) for every choice that the rules of a service give an answer to."""
    rules = loader.load_service_model(service, 'endpoint-rule-set-1')
    provider = EndpointProvider(rules, partitions)
    name, model = signing_of(service)
    auth = model.get('auth') or [model.get('signatureVersion', 'v4')]
    if model.get('signatureVersion') == 'v2' or auth == ['smithy.api#httpBearerAuth'] or model.get('signatureVersion') == 'bearer':
        return
    known = rules['parameters']
    for region in regions:
        for fips in (False, True):
            for dual in (False, True):
                params = {'Region': region, 'UseFIPS': fips, 'UseDualStack': dual, 'UseGlobalEndpoint': False, **given}
                try:
                    endpoint = provider.resolve_endpoint(**{key: value for key, value in params.items() if key in known})
                except EndpointProviderError:
                    continue
                schemes = {scheme.get('name'): scheme for scheme in endpoint.properties.get('authSchemes', [])}
                # SigV4a, where both are taken, has no region: what is signed here is SigV4.
                scheme = schemes.get('sigv4', schemes.get('sigv4a', {}))
                host = re.sub(r'^https://([^/]+).*$', r'\1', endpoint.url)
                # http://localhost of the region "local", and names that hold a region which is none.
                if '://' not in host and (region not in host or region in real):
                    yield host, scheme.get('signingName', name), scheme.get('signingRegion', region), (fips, dual), region


# Amazon Transcribe streaming: AWS's SDKs for JavaScript, Java and Go have it, and botocore does not, since its calls are conversations.
# https://docs.aws.amazon.com/general/latest/gr/transcribe.html
STREAMING = {
    'signing': 'transcribe',
    'label': 'transcribestreaming',
    'fixed': {r: [f'cn.transcribestreaming.{r}.amazonaws.com.cn', '='] for r in ('cn-north-1', 'cn-northwest-1')},
    'paths': (
        'stream-transcription',
        'medical-stream-transcription',
        'call-analytics-stream-transcription',
        'medical-scribe-stream',
    ),
}
