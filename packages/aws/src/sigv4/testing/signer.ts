import { createHmac } from 'node:crypto';

/** The signing key of SigV4, derived step by step as AWS documents it. */
export function hmacSigner(secret: string, scope: string): { readonly sign: (text: string) => string; readonly width: number } {
  const [day = '', region = '', service = ''] = scope.split('/');
  const step = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const key = step(step(step(step(`AWS4${secret}`, day), region), service), 'aws4_request');
  return { sign: (text) => step(key, text).toString('hex'), width: 64 };
}

/** Cuts bytes at the given places, which may lie anywhere. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b);
  const edges = [0, ...sorted, bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
}
