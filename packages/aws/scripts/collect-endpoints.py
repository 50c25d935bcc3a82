"""Collects which host a request goes to that names none, into data/aws-endpoints.json: endpoint mode, where the client's endpoint is a local port.

    python3 packages/aws/scripts/collect-endpoints.py > packages/aws/data/aws-endpoints.json && npx biome format --write packages/aws/data/aws-endpoints.json

Run it with a new botocore, then `npm run generate`. A place is the labels in front of the region; with `!` under the dual-stack suffix, and with
`@` a host without a region, one for each partition. Where a signing name has several, they are told apart by target or by method and path.
"""
import json
import re
import sys
from collections import Counter, defaultdict

import botocore

from endpoint_rules import STREAMING, S3, answers, given_by, loader, names_somebody, partitions, real, signing_of

suffixes = {
    region: (p['id'], p['outputs']['dnsSuffix'], p['outputs']['dualStackDnsSuffix'])
    for p in partitions['partitions']
    for region in p['regions']
}
# Hosts of single customers, or of one service whose signing name is theirs: there is no default.
CUSTOMERS = {'apigatewaymanagementapi', 'cloudsearchdomain', 'mediastore-data', 'iot-data', 'signin', 'connectparticipant'}


def place_of(service, given):
    """The place of what gives a service's rules this, and the hosts of partitions and regions where it is elsewhere; `=` the region asked for."""
    labels, hosts = Counter(), defaultdict(dict)
    for host, _, signing_region, (fips, dual), region in answers(service, given):
        if fips or dual or region not in real or region in hosts[suffixes[region][0]]:
            continue
        partition, *tails = suffixes[region]
        hosts[partition][region] = (host, '=' if signing_region == region else signing_region)
        for tail, mark in zip(tails, ('', '!')):
            if host.endswith(f'.{region}.{tail}') and signing_region == region:
                labels[host[: -len(region) - len(tail) - 2] + mark] += 1
    label = labels.most_common(1)[0][0] if labels else None
    fixed = {}
    for partition, by_region in hosts.items():
        usual = {r: (f"{(label or '').rstrip('!')}.{r}.{suffixes[r][2 if (label or '').endswith('!') else 1]}", '=') for r in by_region}
        if by_region == usual:
            continue
        # one host for all of a partition; the region that it is in signs for itself
        found = {host for host, _ in by_region.values()}
        regions = {region for _, region in by_region.values()} - {'='}
        if len(found) == 1 and len(regions) <= 1:
            fixed[partition] = [found.pop(), regions.pop() if regions else '=']
        else:
            fixed.update({r: list(host) for r, host in by_region.items() if host != usual[r]})
    return label, fixed


def places_of(service, model):
    """The place of operations that give the rules nothing, of each operation, and what `@x` stands for; None where no host can be told."""
    known, hosts, places = {}, {}, {}

    def place(given, name):
        key = json.dumps(given, sort_keys=True)
        if key not in known:
            label, fixed = place_of(service, given)
            entry = {'place': label, 'fixed': fixed}
            # operations that give something else may still go to the same
            name = next((other for other, found in hosts.items() if found == entry), name)
            if fixed:
                hosts[name] = entry
            known[key] = f'@{name}' if fixed else label
        return known[key]

    usual = place({}, service)
    for name, operation in model['operations'].items():
        found = None if names_somebody(service, model, operation) else place(given_by(operation), f'{service}/{name}')
        places[name] = None if found is None else operation.get('endpoint', {}).get('hostPrefix', '') + found
    return usual, places, hosts


def routes_of(model, places):
    for name, operation in model['operations'].items():
        path = operation['http']['requestUri'].partition('?')[0]
        segments = ['**' if '+}' in s else '*' if '{' in s else s.lower() for s in path.split('/') if s]
        yield (*segments, ' ' + operation['http']['method']), places[name]


def tried(routes):
    """The shortest beginnings of routes that leave one place."""
    if len({place for _, place in routes}) == 1:
        return [((), routes[0][1])]
    below = defaultdict(list)
    for route, place in routes:
        if not route:
            raise SystemExit(f'two places for one route: {routes}')
        below[route[0]].append((route[1:], place))
    return [((first, *rest), place) for first, some in sorted(below.items()) for rest, place in tried(some)]


def targets_of(services):
    """What X-Amz-Target names, and where it leads: prefixes, and operations where they lead elsewhere or two services share a prefix."""
    targets, shared = {}, Counter(model['metadata']['targetPrefix'] for _, _, model in services)
    for usual, places, model in services:
        prefix = model['metadata']['targetPrefix']
        if shared[prefix] == 1:
            # a later operation goes where one goes that says nothing; where each has to say something, nowhere
            targets[prefix] = usual
        for name, place in places.items():
            target = f'{prefix}.{name}'
            if place != usual or shared[prefix] > 1:
                # an operation that both have cannot be told apart
                targets[target] = None if targets.get(target, place) != place else place
    return targets


names, hosts = defaultdict(list), {}
for service in loader.list_available_services('endpoint-rule-set-1'):
    if service in CUSTOMERS | S3:
        continue
    signing, metadata = signing_of(service)
    model = loader.load_service_model(service, 'service-2')
    usual, places, found = places_of(service, model)
    if any(places.values()):
        names[signing].append((usual, places, model))
        hosts.update(found)

out = {}
for signing, services in sorted(names.items()):
    spoken_json, routes, forms = [], [], set()
    for usual, places, model in services:
        spoken = set(model['metadata'].get('protocols', [model['metadata']['protocol']]))
        if spoken & {'json', 'smithy-rpc-v2-cbor'}:
            spoken_json.append((usual, places, model))
        if spoken & {'query', 'ec2'}:
            forms |= set(places.values())
            if len(forms) > 1:
                raise SystemExit(f'{signing}: a form does not tell {forms} apart')
        if spoken & {'rest-json', 'rest-xml'}:
            routes += routes_of(model, places)
    targets = targets_of(spoken_json)
    where = set(targets.values()) | {p for _, p in routes} | forms
    if len(where) == 1:
        out[signing] = {'place': where.pop()}
        continue
    # what two services have alike, such as tags, cannot be told apart
    by_route = defaultdict(set)
    for route, place in routes:
        by_route[route].add(place)
    clear = [(route, found.pop() if len(found) == 1 else None) for route, found in by_route.items()]
    out[signing] = {
        'targets': targets if len(set(targets.values())) > 1 or routes or forms else {},
        'forms': sorted(forms),
        'routes': [f"{'/'.join(route).replace('/ ', ' ') or '*'}={place or ''}" for route, place in (tried(clear) if clear else [])],
    }

signing, label = STREAMING['signing'], STREAMING['label']
hosts[label] = {'place': label, 'fixed': STREAMING['fixed']}
out[signing] = {
    'targets': targets_of(names[signing]),
    'forms': [],
    'routes': [f'{path}=@{label}' for path in STREAMING['paths']],
}

json.dump(
    {
        'source': f'botocore {botocore.__version__} (Apache-2.0): endpoint rule sets and service models',
        'services': out,
        'hosts': dict(sorted(hosts.items())),
    },
    sys.stdout,
    indent=1,
)
print()
