import type { RequestHead } from '#requests/aws-request.ts';
import { type FormPair, parseForm } from '#requests/form.ts';
import { restLines } from '#requests/rest-operations.generated.ts';
import { overridesMethod } from '#requests/rest-route.ts';
import { type Met, parseTree, pathsMet, type Reading, type RestNode, type RestOperation } from '#requests/rest-tree.ts';

type RestHead = Pick<RequestHead, 'method' | 'path' | 'query' | 'headers' | 'service' | 'target'>;

/** Operations that are at the same hosts. */
type Place = {
  /** labels in front of the region, or whole hosts that name none; empty where botocore's rules name no host */
  readonly hosts: ReadonlySet<string>;
  readonly text: string;
  tree?: RestNode;
};

/** What is met, but perhaps not what AWS takes it for. */
const DOUBT = '';

let places: ReadonlyMap<string, readonly Place[]> | undefined;

/**
 * AWS's name of a request to a REST service, by method, path, what the query must have, and the host where services share a signing name.
 * Undefined for what the models do not have, and wherever two routers could read it differently: a missing name is better than a wrong one.
 */
export function restOperation(head: RestHead): string | undefined {
  const found = placesOf(head);
  if (found.length === 0 || overridesMethod(head)) return undefined;
  const [first, ...others] = readingsOf(head.path);
  if (first === undefined) return undefined;
  const named = namesOf(found, { head, reading: first });
  const [name, another] = named;
  if (name === undefined || name === DOUBT || another !== undefined) return undefined;
  for (const reading of others) for (const other of namesOf(found, { head, reading })) if (other !== name) return undefined;
  return name;
}

function namesOf(found: readonly Place[], asked: { readonly head: RestHead; readonly reading: Reading }): ReadonlySet<string> {
  const names = new Set<string>();
  for (const place of found) {
    place.tree ??= parseTree(place.text);
    const name = nameIn(pathsMet(place.tree, asked.reading), asked.head);
    if (name !== undefined) names.add(name);
  }
  return names;
}

function nameIn(met: readonly Met[], head: RestHead): string | undefined {
  if (!met.some(({ operations }) => operations.some(({ method }) => method === head.method))) return undefined;
  // of two paths the one that says more at each segment; where each says more somewhere, or the method is the other's, routers differ
  const best = met.reduce((one, other) => (other.shape < one.shape ? other : one));
  if (!best.exact || !met.every((other) => other === best || saysMore(best.shape, other.shape))) return DOUBT;
  return nameAmong(
    best.operations.filter(({ method }) => method === head.method),
    head,
  );
}

function saysMore(shape: string, other: string): boolean {
  return shape.split('').every((char, i) => char <= (other[i] ?? ''));
}

/** Of those at one path the one whose parameters are all there. */
function nameAmong(operations: readonly RestOperation[], { path, query }: RestHead): string {
  const pairs = parseForm(query);
  if (pairs === undefined) return DOUBT;
  const judged = operations.map((operation) => ({ operation, has: hasNeeds(operation, pairs) }));
  const [best, another] = judged.filter(({ operation: { needs }, has }) => has === 'yes' && needs.length > 0);
  if (another !== undefined) return DOUBT;
  const chosen = best ?? judged.find(({ has }) => has === 'yes');
  if (chosen === undefined || (path.endsWith('/') && !chosen.operation.slash)) return DOUBT;
  // a parameter that tells operations apart, and says something else
  if (best === undefined && judged.some(({ has }) => has === 'perhaps')) return DOUBT;
  const { name, needs } = chosen.operation;
  // SDKs write no name without its equals sign but one that tells operations apart: such a one is news to the table
  return pairs.every((pair) => pair.raw.includes('=') || needs.includes(pair.name)) ? name : DOUBT;
}

function hasNeeds({ needs }: RestOperation, pairs: readonly FormPair[]): 'yes' | 'no' | 'perhaps' {
  let has: 'yes' | 'perhaps' = 'yes';
  for (const need of needs) {
    const [name = '', value = ''] = need.split('=');
    const [given, again] = pairs.filter((pair) => pair.name.toLowerCase() === name.toLowerCase());
    if (given === undefined) return 'no';
    if (again !== undefined || given.name !== name || given.value !== value) has = 'perhaps';
  }
  return has;
}

/** Escapes that undone before the path is split, or twice, make other segments of it. */
const splitting = /%(?:2[5f]|3b|5c)/i;
/** More than any model has but in greedy labels. */
const maxSegments = 64;

/**
 * The segments of a path as SDKs mean them, and then as routers may read it that undo escapes before they split, or twice. None of a path
 * of which one cannot say what a router makes of it: empty or dotted segments, parameters of segments, broken escapes.
 */
function readingsOf(path: string): readonly Reading[] {
  if (!/^\/[!-:<-[\]-~]*$/.test(path)) return [];
  const written = path === '/' ? [] : path.slice(1, path.endsWith('/') ? -1 : undefined).split('/');
  if (written.length > maxSegments) return [];
  const segments = path.includes('%') ? decoded(written) : written;
  if (segments === undefined || !isPlain(segments)) return [];
  const first = { segments, written };
  if (!splitting.test(path)) return [first];
  const others = [segments, decoded(segments) ?? segments].map(splitAgain);
  return others.every(isPlain) ? [first, ...others.map((other) => ({ segments: other, written: other }))] : [];
}

function isPlain(segments: readonly string[]): boolean {
  return segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

function decoded(segments: readonly string[]): readonly string[] | undefined {
  try {
    return segments.map((segment) => decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}

function splitAgain(segments: readonly string[]): readonly string[] {
  return segments
    .flatMap((segment) => segment.split(/[/\\]/))
    .flatMap((segment) => segment.split(';', 1))
    .filter((segment) => segment !== '');
}

/** What stands before the region, without the name of an account, a VPC's endpoint or a shard of Kinesis Video. */
const inFront = /^(?:\d{12}\.|vpce-[\w-]+\.|[a-z]-[0-9a-f]{8}\.(?=kinesisvideo\.))?(.+?)\.[a-z]{2,4}(?:-[a-z]+)+-\d+\./;

/** Those of the signing name at the request's host: at other hosts are customers' own APIs. */
function placesOf({ service, target }: RestHead): readonly Place[] {
  places ??= readPlaces();
  const all = places.get(service) ?? [];
  if (target === undefined || all.length === 0) return all;
  const label = inFront.exec(target.host)?.[1] ?? target.host;
  return all.filter(({ hosts }) => hosts.size === 0 || hosts.has(label));
}

/** Where each begins in the text, and no more: its tree is made when it is first asked for. */
function readPlaces(): ReadonlyMap<string, readonly Place[]> {
  const found = new Map<string, Place[]>();
  for (const part of restLines.split('\n= ').slice(1)) {
    const end = part.indexOf('\n');
    const [service = '', ...labels] = part.slice(0, end).split(' ');
    const hosts = new Set(labels.flatMap((text) => (text.endsWith('*') ? [text.slice(0, -1), `${text.slice(0, -1)}-fips`] : [text])));
    found.set(service, [...(found.get(service) ?? []), { hosts, text: part.slice(end) }]);
  }
  return found;
}
