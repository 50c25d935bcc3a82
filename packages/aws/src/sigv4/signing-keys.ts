import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Credentials } from '#credentials/credentials.ts';
import { type EcdsaPair, ecdsaPair } from '#sigv4/keys/ecdsa-pair.ts';

export type SigningScope = { readonly nowMs: number; readonly region: string; readonly service: string };

export type RegionSetScope = { readonly nowMs: number; readonly regionSet: string; readonly service: string };

export type SigningKey = HmacKey | EcdsaKey;

/** SigV4: the derived key of one (credentials, UTC day, region, service). */
export type HmacKey = {
  readonly algorithm: 'AWS4-HMAC-SHA256';
  readonly credentials: Credentials;
  /** YYYYMMDD in UTC */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  /** day/region/service/aws4_request */
  readonly scope: string;
  /** A KeyObject and not a Buffer: HMAC with it is several times faster on Node 24, and inspecting it shows nothing. */
  readonly hmacKey: KeyObject;
};

/** SigV4a: one key pair of the credentials for every day, region and service. */
export type EcdsaKey = EcdsaPair & {
  readonly algorithm: 'AWS4-ECDSA-P256-SHA256';
  readonly credentials: Credentials;
  readonly day: string;
  /** the value of x-amz-region-set: `*`, or regions and patterns with commas between */
  readonly regionSet: string;
  readonly service: string;
  /** day/service/aws4_request */
  readonly scope: string;
};

/** One agent signs for a few services in a region; across midnight each doubles. A client that varies the region only costs itself. */
const maxKeysPerCredentials = 16;

type DerivedKeys = { last: HmacKey; readonly byScope: Map<string, HmacKey> };

/** Derived keys hang on the credentials object and go when it goes; a secret is never a key of the cache. */
export class SigningKeys {
  readonly #keys = new WeakMap<Credentials, DerivedKeys>();
  readonly #pairs = new WeakMap<Credentials, EcdsaPair>();

  /** For SigV4a. */
  forRegionSet(credentials: Credentials, { nowMs, regionSet, service }: RegionSetScope): EcdsaKey {
    let pair = this.#pairs.get(credentials);
    if (pair === undefined) {
      pair = ecdsaPair(credentials);
      this.#pairs.set(credentials, pair);
    }
    const day = amzDate(nowMs).slice(0, 8);
    return { algorithm: 'AWS4-ECDSA-P256-SHA256', credentials, day, regionSet, service, scope: `${day}/${service}/aws4_request`, ...pair };
  }

  /** The same credentials, region and service at another time: an event stream signs each message with its own day. */
  at(key: SigningKey, nowMs: number): SigningKey {
    const { credentials, service } = key;
    if (key.algorithm === 'AWS4-HMAC-SHA256') return this.for(credentials, { nowMs, region: key.region, service });
    return this.forRegionSet(credentials, { nowMs, regionSet: key.regionSet, service });
  }

  for(credentials: Credentials, scope: SigningScope): HmacKey {
    const date = amzDate(scope.nowMs);
    let keys = this.#keys.get(credentials);
    // an agent asks for the same key again and again: no name is built for that
    const last = keys?.last;
    if (last !== undefined && last.region === scope.region && last.service === scope.service && date.startsWith(last.day)) return last;
    const day = date.slice(0, 8);
    const name = `${day}/${scope.region}/${scope.service}/aws4_request`;
    const key = keys?.byScope.get(name) ?? {
      algorithm: 'AWS4-HMAC-SHA256',
      credentials,
      day,
      region: scope.region,
      service: scope.service,
      scope: name,
      hmacKey: deriveKey(credentials.secretAccessKey, [day, scope.region, scope.service, 'aws4_request']),
    };
    if (keys === undefined) {
      keys = { last: key, byScope: new Map() };
      this.#keys.set(credentials, keys);
    }
    keys.last = key;
    keys.byScope.set(name, key);
    if (keys.byScope.size > maxKeysPerCredentials) {
      const oldest = keys.byScope.keys().next();
      if (oldest.done !== true) keys.byScope.delete(oldest.value);
    }
    return key;
  }

  /** How many derived keys these credentials hold: for the test of the bound. */
  countFor(credentials: Credentials): number {
    return this.#keys.get(credentials)?.byScope.size ?? 0;
  }
}

function deriveKey(secret: string, parts: readonly string[]): KeyObject {
  let key = Buffer.from(`AWS4${secret}`, 'utf8');
  for (const part of parts) {
    const next = createHmac('sha256', key).update(part).digest();
    key.fill(0);
    key = next;
  }
  const derived = createSecretKey(key);
  key.fill(0);
  return derived;
}

let lastSecond = Number.NaN;
let lastAmzDate = '';

/** YYYYMMDDTHHMMSSZ. Remembers the last second, because a busy agent asks for the same one thousands of times. */
export function amzDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== lastSecond) {
    lastAmzDate = `${new Date(second * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
    lastSecond = second;
  }
  return lastAmzDate;
}
