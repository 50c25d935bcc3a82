"""Collects the hosts of AWS's services from the public endpoint data that botocore ships, into data/aws-hosts.json.

    python3 packages/aws/scripts/collect-hosts.py > packages/aws/data/aws-hosts.json && npx biome format --write packages/aws/data/aws-hosts.json

Run it with a new botocore to learn of new services, then `npm run generate`. For each service, region, FIPS and dual-stack choice the
service's own endpoint rules are asked, with what its operations give them; what they answer is sorted into labels in front of the region, and hosts without a region.
"""
import json
import sys
from collections import defaultdict

import botocore

from endpoint_rules import STREAMING, all_given, answers, loader, operations_of, real, suffixes


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
    for host, signing, signing_region, *_ in (answer for given in all_given(service) for answer in answers(service, given)):
        labels = split(host, signing_region)
        if labels is None:
            regionless[host].add((signing, signing_region))
        else:
            prefixes[signing].add(labels)
        for prefix in operations_of(service):
            operations[signing].add(prefix)

label = STREAMING['label']
prefixes[STREAMING['signing']] |= {label, f'{label}-fips', f'cn.{label}'}

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
