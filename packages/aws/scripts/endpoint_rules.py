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
                        yield host, scheme.get('signingName', name), scheme.get('signingRegion', region), (fips, dual), region
