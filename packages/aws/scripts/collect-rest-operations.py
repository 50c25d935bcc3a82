"""Collects the operations of AWS's REST services from the service models that botocore ships, into data/aws-rest-operations.txt.

    python3 packages/aws/scripts/collect-rest-operations.py > packages/aws/data/aws-rest-operations.txt

Run it with a new botocore, then `npm run generate`. A signing name stands in a line of its own between `=` and the labels in front of the
region of its hosts (`x*` is x and x-fips; whole hosts that name no region; none where the rules name none), once for each set of hosts.
Then its paths as a tree, a level for each blank in front: words, `*` for a label and `**` for a greedy one, then methods with operations.
A method ends with `/` where the model's path does, and with what the query must have. Left out is S3, which has a table of its own.
"""
import re
from collections import defaultdict

import botocore

from endpoint_rules import all_given, answers, loader, operations_of, signing_of

# Its hosts are the customers' own APIs, which may have the same paths.
CUSTOMERS = {'apigatewaymanagementapi'}
# Models of earlier SDKs ended these with a slash, and Lambda takes both.
ONCE_WITH_SLASH = {
    'lambda': {'ListFunctions', 'ListEventSourceMappings', 'CreateEventSourceMapping', 'ListCodeSigningConfigs',
               'CreateCodeSigningConfig', 'InvokeAsync', 'GetAccountSettings'},
}
# The rules tell these by parameters of single operations.
ALSO_AT = {
    's3control': {'s3express-control', 's3express-control-fips', 's3express-control.dualstack', 's3express-control-fips.dualstack'},
}
REGION = r'[a-z]{2,4}(?:-[a-z]+)+-\d+\.'


def hosts_of(service):
    found = {re.split(r'\.' + REGION, host)[0] for given in all_given(service) for host, *_ in answers(service, given) if not re.match(REGION, host)}
    found |= {operation + label for label in found for operation in operations_of(service)} | ALSO_AT.get(service, set())
    return tuple(label + '*' if label + '-fips' in found else label for label in sorted(found)
                 if not (label.endswith('-fips') and label[:-5] in found))


def put(tree, service, name, http):
    path, _, query = http['requestUri'].partition('?')
    *words, last = re.sub(r'\{[^}]*\}', '*', re.sub(r'\{[^}]*\+\}', '**', path)).split('/')[1:]
    slash = last == '' or name in ONCE_WITH_SLASH.get(service, ())
    for word in words if last == '' else [*words, last]:
        tree = tree.setdefault(word, {})
    method = http['method'] + ('/' if slash else '') + ('?' + query if query else '')
    # Two services of one host have it alike, and mean the same.
    if tree.setdefault('', {}).setdefault(method, name) != name:
        raise SystemExit(f'{service} has {method} {path} twice')


def lines(tree, depth=0):
    spelled = [word.lower() for word in tree]
    if len(set(spelled)) != len(spelled):
        raise SystemExit(f'words that differ in case alone: {sorted(tree)}')
    for word, below in sorted((word, below) for word, below in tree.items() if word):
        while '' not in below and len(below) == 1:
            (after, below), = below.items()
            word += '/' + after
        asked = ''.join(f' {method} {name}' for method, name in sorted(below.get('', {}).items()))
        yield ' ' * depth + word + asked
        yield from lines(below, depth + 1)


places = defaultdict(dict)
for service in loader.list_available_services('service-2'):
    signing, metadata = signing_of(service)
    if service == 's3' or service in CUSTOMERS or not {'rest-json', 'rest-xml'} & set(metadata.get('protocols', [metadata['protocol']])):
        continue
    tree = places[(signing, hosts_of(service))]
    for name, operation in loader.load_service_model(service, 'service-2')['operations'].items():
        put(tree, service, name, operation['http'])

print(f'botocore {botocore.__version__} (Apache-2.0): service models and endpoint rule sets')
for (signing, hosts), tree in sorted(places.items()):
    print(' '.join(['=', signing, *hosts]))
    root = tree.pop('', None)
    if root:
        print('/' + ''.join(f' {method} {name}' for method, name in sorted(root.items())))
    print('\n'.join(lines(tree)))
