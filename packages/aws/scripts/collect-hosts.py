"""Collects the hosts of AWS's services from the public endpoint data that botocore ships, into data/aws-hosts.json.

    python3 packages/aws/scripts/collect-hosts.py > packages/aws/data/aws-hosts.json && npx biome format --write packages/aws/data/aws-hosts.json

Run it with a new botocore to learn of new services, then `npm run generate`. For each service, region, FIPS and dual-stack choice the
service's own endpoint rules are asked; what they answer is sorted into labels in front of the region, and hosts without a region.
"""
import json
import re
import sys
from collections import defaultdict

import botocore
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


def signing_of(service):
    model = loader.load_service_model(service, 'service-2')['metadata']
    return model.get('signingName', model['endpointPrefix']), model


def operations_of(service):
    """The labels that single operations put in front of the host, where they are fixed."""
    for operation in loader.load_service_model(service, 'service-2')['operations'].values():
        prefix = operation.get('endpoint', {}).get('hostPrefix', '')
        if prefix and '{' not in prefix and prefix.endswith(('.', '-')):
            yield prefix


def answers(service):
    """(host, signing name, signing region) for every choice that the rules of a service give an answer to."""
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
                for control_plane in (False, True) if 'UseControlPlaneEndpoint' in known else (False,):
                    params = {'Region': region, 'UseFIPS': fips, 'UseDualStack': dual, 'UseControlPlaneEndpoint': control_plane}
                    if 'UseGlobalEndpoint' in known:
                        params['UseGlobalEndpoint'] = False
                    try:
                        endpoint = provider.resolve_endpoint(**{key: value for key, value in params.items() if key in known})
                    except EndpointProviderError:
                        continue
                    scheme = next((s for s in endpoint.properties.get('authSchemes', []) if s.get('name', '').startswith('sigv4')), {})
                    host = re.sub(r'^https://([^/]+).*$', r'\1', endpoint.url)
                    # http://localhost of the region "local", and names that hold a region which is none.
                    if '://' not in host and (region not in host or region in real):
                        yield host, scheme.get('signingName', name), scheme.get('signingRegion', region)


def split(host, region):
    """Labels in front of the region, or None where the host does not name it."""
    for suffix in suffixes:
        tail = f'.{region}.{suffix}'
        if host.endswith(tail):
            return host[: -len(tail)]
    return None


prefixes = defaultdict(set)
regionless = defaultdict(set)
operations = defaultdict(set)
for service in loader.list_available_services('endpoint-rule-set-1'):
    if service == 'signin':
        continue  # signing in to the console is federation, never a signed request
    for host, signing, signing_region in answers(service):
        labels = split(host, signing_region)
        if labels is None:
            regionless[host].add((signing, signing_region))
        else:
            prefixes[signing].add(labels)
        for prefix in operations_of(service):
            operations[signing].add(prefix)

json.dump(
    {
        'source': f'botocore {botocore.__version__} (Apache-2.0): endpoint rule sets and service models',
        'regions': sorted(real),
        'prefixes': {name: sorted(found) for name, found in sorted(prefixes.items())},
        'operationPrefixes': {name: sorted(found) for name, found in sorted(operations.items())},
        'regionless': {host: sorted(found) for host, found in sorted(regionless.items())},
    },
    sys.stdout,
    indent=1,
)
print()
