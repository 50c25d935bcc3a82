import { PosternError } from '@postern/api/errors';
import { caPin, isPin, matchesPin, readAuthority } from '@postern/pki';
import { getJson } from '#find/get-json.ts';
import { readHostPort } from '#find/host-port.ts';
import { webRoots } from '#find/web-roots.ts';

export interface FindClusterOptions {
  /** host:port of the proxy. */
  readonly proxy: string;
  /** Where given, they alone say which Host CA is trusted, and the web certificate need not verify. */
  readonly caPins?: readonly string[];
  /** Take the Host CA from whoever answers. For trials; `onWarning` says so. */
  readonly insecure?: boolean;
  readonly onWarning?: (message: string) => void;
  /** PEM; default: the system's, Node's and those of SSL_CERT_FILE. */
  readonly webRoots?: readonly string[];
}

export interface Found {
  readonly cluster: string;
  readonly serverVersion: string;
  /** Those that a pin names where pins are given, else all. */
  readonly hostCaPems: readonly string[];
  readonly caPins: readonly string[];
  /** host:port that the proxy tells clients to dial, where it says so. */
  readonly publicAddress?: string;
}

const DEFAULT_WEB_PORT = 443;
/** One, or two in the middle of a rotation, and some room. */
const MAX_AUTHORITIES = 8;

/** Learns a cluster's name and Host CA from its proxy. Nothing secret is sent. A pin that matches nothing stops here. */
export async function findCluster(options: FindClusterOptions): Promise<Found> {
  const { caPins = [], insecure = false } = options;
  checkPins(caPins);
  const at = readHostPort(options.proxy, DEFAULT_WEB_PORT);
  const unverified = caPins.length > 0 || insecure;
  if (insecure && caPins.length === 0) {
    options.onWarning?.(`${at.text} is not verified (insecure): whoever answers there is believed; give the cluster's pin instead`);
  }
  const answer = readAnswer(
    await getJson({ at, path: '/v1/webapi/find', roots: unverified ? undefined : (options.webRoots ?? webRoots()) }),
    at.text,
  );
  const hostCaPems = caPins.length > 0 ? pinned(caPins, answer.hostCaPems, at.text) : answer.hostCaPems;
  for (const pem of hostCaPems) checkAuthority(pem, answer.cluster, at.text);
  return { ...answer, hostCaPems, caPins: hostCaPems.map((pem) => caPin(pem)) };
}

export function checkPins(caPins: readonly string[]): void {
  if (!caPins.every(isPin))
    throw new PosternError('bad_request', 'a CA pin is sha256: and 64 hexadecimal digits, as tctl status prints it');
}

/** Of the authorities that somebody shows, those that a pin names; whatever else he shows is not trusted. */
export function pinned(caPins: readonly string[], pems: readonly string[], place: string): string[] {
  const trusted = [...new Set(caPins.map((pin) => matchesPin(pin, pems)).filter((pem) => pem !== undefined))];
  if (trusted.length === 0) {
    throw new PosternError(
      'cannot_connect',
      `the CA pin does not match ${place}: compare it with tctl status on the auth host; nothing was sent`,
    );
  }
  return trusted;
}

function readAnswer(answer: unknown, place: string): Omit<Found, 'caPins'> {
  const refuse = (what: string): never => {
    throw new PosternError('cannot_connect', `${place} answers without ${what}: it is not a proxy of this system`);
  };
  const fields = asObject(answer);
  const { cluster_name: cluster, server_version: serverVersion, host_ca_pems: pems } = fields;
  if (typeof cluster !== 'string' || cluster === '') return refuse('a cluster name');
  if (typeof serverVersion !== 'string' || serverVersion.length > 64) return refuse('a version');
  if (
    !Array.isArray(pems) ||
    pems.length === 0 ||
    pems.length > MAX_AUTHORITIES ||
    !pems.every((pem): pem is string => typeof pem === 'string')
  )
    return refuse('a Host CA');
  const publicAddress = asObject(asObject(fields.proxy).ssh).public_addr;
  return {
    cluster,
    serverVersion,
    hostCaPems: pems,
    ...(typeof publicAddress === 'string' && publicAddress !== '' ? { publicAddress } : {}),
  };
}

function checkAuthority(pem: string, cluster: string, place: string): void {
  const authority = readAuthority(pem);
  if (authority.kind !== 'host' || authority.cluster !== cluster) {
    throw new PosternError(
      'cannot_connect',
      `${place} says that it is cluster ${cluster}, and shows the ${authority.kind} authority of ${authority.cluster}`,
    );
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
