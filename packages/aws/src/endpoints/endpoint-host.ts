import { type AwsTarget, awsTarget } from '#endpoints/aws-target.ts';
import { isAccountId } from '#endpoints/hosts.ts';
import { type Partition, partitionOf } from '#endpoints/partitions.ts';
import { type PlaceRule, placeTable } from '#endpoints/place-table.ts';
import type { Refusal } from '#refusals/refusal.ts';
import type { RequestHead } from '#requests/aws-request.ts';
import { looksLikeForm } from '#requests/protocol-of.ts';
import { headerValues, onlyHeader } from '#requests/raw-headers.ts';
import { segmentsOf } from '#requests/rest-route.ts';
import { tableName } from '#requests/service-table.ts';

/** In endpoint mode the client names no host: `service` and `region` are of its verified scope. */
export type EndpointHostInput = Omit<RequestHead, 'target'> & { readonly region: string };

/** Its answer names hosts that the client would then go to by itself, past the local port. */
const discovers = /^(?:DynamoDB_20120810|Timestream_20181101)\.DescribeEndpoints$/;
const noDiscovery =
  'endpoint discovery would lead past this port: turn it off (AWS_ENABLE_ENDPOINT_DISCOVERY=false), or use tsh proxy aws, where the client names the host';

/**
 * Where a request goes whose client knows only a local port: to the host that the SDKs have for the signing name and region, told apart by what
 * the request itself says where a signing name has several. A global service is signed for where it is, since a client with an endpoint of
 * its own signs for the region of its settings. What cannot be told is refused with the name of the mode that can.
 */
export function endpointHost(input: EndpointHostInput): AwsTarget | Refusal {
  const { service, region } = input;
  const partition = partitionOf(region);
  if (region === '*') return refuse('what is signed for every region has a host of its own', input);
  if (partition === undefined) return { refusal: `no AWS partition has a region ${JSON.stringify(region.slice(0, 64))}` };
  if (discovers.test(targetOf(input) ?? '')) return { refusal: noDiscovery };
  const found = tableName(service) === 's3' ? s3Host(input, partition) : serviceHost(input, partition);
  if ('refusal' in found) return found;
  return awsTarget({ host: found.host, scope: { service, region: found.region } });
}

type Found = { readonly host: string; readonly region: string };

function serviceHost(input: EndpointHostInput, partition: Partition): Found | Refusal {
  const { single, rules } = placeTable();
  const own = rules.get(input.service);
  const place = single.get(input.service) ?? (own && placeByRules(input, own));
  if (place !== undefined) return hostAt(place, { region: input.region, partition });
  return own === undefined
    ? refuse('it has no host in every region that Postern knows of', input)
    : refuse('it has several hosts, and the request does not tell which', input);
}

function hostAt(place: string, { region, partition }: { readonly region: string; readonly partition: Partition }): Found {
  if (place.startsWith('@')) {
    const { fixed } = placeTable();
    const host = fixed.get(`${place} ${region}`) ?? fixed.get(`${place} ${partition.id}`);
    if (host !== undefined) return { host: host.host, region: host.region === '=' ? region : host.region };
    return hostAt(fixed.get(`${place} place`)?.host ?? place.slice(1), { region, partition });
  }
  const suffix = place.endsWith('!') ? partition.dualStackSuffix : partition.dnsSuffix;
  return { host: `${place.replace('!', '')}.${region}.${suffix}`, region };
}

/** The longest rule that the request meets; its target and its path cannot both be meant, so whichever service has rules for it. */
function placeByRules(input: EndpointHostInput, rules: readonly PlaceRule[]): string | undefined {
  const target = targetOf(input);
  if (target !== undefined && rules.some(({ kind }) => kind === 'target')) {
    const known = (text: string): PlaceRule | undefined => rules.find(({ kind, says }) => kind === 'target' && says[0] === text);
    return (known(target) ?? known(target.slice(0, target.lastIndexOf('.'))))?.place;
  }
  const form = rules.find(({ kind }) => kind === 'form');
  if (form !== undefined && looksLikeForm(input)) return form.place;
  const segments = segmentsOf(input.path);
  const met = rules.filter((rule) => meets(rule, { method: input.method, segments }));
  return met.toSorted((a, b) => rank(b) - rank(a))[0]?.place;
}

/** `Prefix.Operation`, of JSON's header or CBOR's path. */
function targetOf({ headers, path }: EndpointHostInput): string | undefined {
  const [, service, operation] = /^\/service\/([\w.-]+)\/operation\/(\w+)$/.exec(path) ?? [];
  return service === undefined ? onlyHeader(headers, 'x-amz-target') : `${service}.${operation}`;
}

function meets({ kind, says }: PlaceRule, asked: { readonly method: string; readonly segments: readonly string[] }): boolean {
  if (kind === 'target' || kind === 'form') return false;
  if (says.length === 1 && says[0] === '*') return true;
  if (kind !== '-' && (kind !== asked.method || says.length !== asked.segments.length)) return false;
  return says.length <= asked.segments.length && says.every((word, i) => word.startsWith('*') || word === asked.segments[i]);
}

/** Words before stars, and more of them before fewer. */
function rank({ says }: PlaceRule): number {
  return says.reduce((sum, word) => sum * 2 + (word.startsWith('*') ? 0 : 1), 1);
}

/** One host with the bucket in the path; S3 Control's has the account in front, which each of its requests says. */
function s3Host(input: EndpointHostInput, partition: Partition): Found | Refusal {
  const { service, region, headers } = input;
  if (service !== 's3') return refuse('its hosts name the bucket or access point', input);
  const accounts = headerValues(headers, 'x-amz-account-id');
  if (accounts.length === 0) return { host: `s3.${region}.${partition.dnsSuffix}`, region };
  const [account = '', another] = accounts;
  if (another !== undefined || !isAccountId(account)) return { refusal: 'x-amz-account-id is not one account id of twelve digits' };
  return { host: `${account}.s3-control.${region}.${partition.dnsSuffix}`, region };
}

function refuse(reason: string, { service }: EndpointHostInput): Refusal {
  return {
    refusal: `${JSON.stringify(service.slice(0, 64))} cannot be reached by its endpoint alone: ${reason}; use tsh proxy aws, where the client names the host`,
  };
}
