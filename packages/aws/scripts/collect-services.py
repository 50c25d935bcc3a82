"""Collects how AWS's services are spoken to from the service models that botocore ships, into data/aws-services.json.

    python3 packages/aws/scripts/collect-services.py > packages/aws/data/aws-services.json && npx biome format --write packages/aws/data/aws-services.json

Run it with a new botocore to learn of new services, then `npm run generate`. By signing name: the protocols; the operations whose answers
hold secret keys, and where the id of such a key stands; those that carry a pre-signed address within; those that take no signature; and
S3's operations by method and query.
"""
import json
import re
import sys
from collections import defaultdict

import botocore

from endpoint_rules import STREAMING, loader, signing_of

# Secrets that the models do not name as such: keys of one service, which work without a signature.
ALSO_SECRET = {'iam': {'CreateServiceSpecificCredential', 'ResetServiceSpecificCredential'}}
# The model has the member, and AWS says that only the creating operation fills it; or it is a field's name within another service's secret.
NEVER_SECRET = {
    ('lightsail', 'GetBucketAccessKeys'),
    ('iot', 'CreateTopicRuleDestination'),
    ('iot', 'GetTopicRuleDestination'),
    ('iot', 'ListTopicRuleDestinations'),
}
# Asked for only with this in the query.
ONLY_WITH = {('datazone', 'GetConnection'): 'withSecret'}


def paths(shapes, name, path=(), seen=frozenset()):
    shape = shapes[name]
    if name in seen:
        return
    seen = seen | {name}
    if shape['type'] == 'structure':
        for member, target in shape['members'].items():
            yield (*path, member), target['shape']
            yield from paths(shapes, target['shape'], (*path, member), seen)
    elif shape['type'] == 'list':
        yield from paths(shapes, shape['member']['shape'], path, seen)


def keys_of(model, operation):
    """The members of an answer that hold ids of access keys, where it holds their secrets too."""
    if 'output' not in operation:
        return None
    found = list(paths(model['shapes'], operation['output']['shape']))
    if not any(re.search(r'secret_?access_?key$|^secretkey$', path[-1], re.I) for path, _ in found):
        return None
    return sorted({path[-1] for path, shape in found if re.fullmatch(r'access_?key_?id', path[-1], re.I)})


def route_of(model, name):
    """Method and path of an operation of a REST service; `*` for what the client fills in, `?x` for what its query must have."""
    http = model['operations'][name]['http']
    path, _, query = http['requestUri'].partition('?')
    text = re.sub(r'\{[^}]*\}', '*', path)
    return f"{http['method']} {text}{'?' + query if query else ''}"


services = defaultdict(lambda: {'protocols': set(), 'credentials': [], 'unsigned': [], 'presigned': []})
for service in loader.list_available_services('service-2'):
    model = loader.load_service_model(service, 'service-2')
    signing, metadata = signing_of(service)
    entry = services[signing]
    spoken = set(metadata.get('protocols', [metadata['protocol']]))
    entry['protocols'] |= {'s3' if service == 's3' else protocol for protocol in spoken}
    isRest = bool(spoken & {'rest-json', 'rest-xml'})
    for name, operation in model['operations'].items():
        keys = keys_of(model, operation)
        if name in ALSO_SECRET.get(signing, ()):
            keys = ['ServiceSpecificCredentialId']
        if keys is not None and (signing, name) not in NEVER_SECRET:
            route = route_of(model, name) if isRest else None
            only = ONLY_WITH.get((signing, name))
            entry['credentials'].append({'operation': name, 'keys': keys, 'route': f'{route}?{only}' if only else route})
        if operation.get('authtype') == 'none' or operation.get('auth') == ['smithy.api#noAuth']:
            entry['unsigned'].append({'operation': name, 'route': route_of(model, name) if isRest else None})
        members = model['shapes'][operation['input']['shape']]['members'] if 'input' in operation else {}
        for member in members:
            if re.fullmatch(r'pre.?signed.?url', member, re.I):
                if {'operation': name, 'member': member} not in entry['presigned']:
                    entry['presigned'].append({'operation': name, 'member': member})

services[STREAMING['signing']]['protocols'].add('rest-json')

s3 = loader.load_service_model('s3', 'service-2')
routes = []
for name, operation in s3['operations'].items():
    path, _, query = operation['http']['requestUri'].partition('?')
    shape = s3['shapes'][operation['input']['shape']] if 'input' in operation else {'members': {}, 'required': []}
    needed = [shape['members'][member] for member in shape.get('required', ())]
    level = 'object' if '{Key+}' in path else 'bucket' if '{Bucket}' in path else 'service' if path == '/' else None
    if level is None or operation.get('deprecated') or name == 'ListDirectoryBuckets':
        continue  # a directory bucket's list is at a host of its own
    wanted = [part for part in query.split('&') if part and not part.startswith('x-id=')]
    wanted += [m['locationName'] for m in needed if m.get('location') == 'querystring']
    headers = [m['locationName'].lower() for m in needed if m.get('location') == 'header' and m['locationName'].lower() == 'x-amz-copy-source']
    routes.append({'operation': name, 'method': operation['http']['method'], 'level': level, 'query': wanted, 'headers': headers})

json.dump(
    {
        'source': f'botocore {botocore.__version__} (Apache-2.0): service models',
        'services': {
            name: {key: sorted(value) if isinstance(value, set) else value for key, value in entry.items() if value}
            for name, entry in sorted(services.items())
        },
        's3': routes,
    },
    sys.stdout,
    indent=1,
)
print()
