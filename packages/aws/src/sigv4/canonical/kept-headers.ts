import type { CanonicalHeader } from '#sigv4/canonical/canonical-request.ts';
import { canonicalValue, headerRule } from '#sigv4/canonical/header-rules.ts';
import { SigningError } from '#sigv4/signing-error.ts';

export type KeptHeaders = {
  readonly raw: string[];
  readonly signed: CanonicalHeader[];
  contentSha256: string | undefined;
  contentLength: string | undefined;
};

/** What of the client's headers goes on to AWS, and how the signature sees it. Throws SigningError. */
export function keepHeaders(headers: readonly string[]): KeptHeaders {
  if (headers.length % 2 !== 0) throw new SigningError('bad_header', 'the header list has a name without a value');
  const kept: KeptHeaders = { raw: [], signed: [], contentSha256: undefined, contentLength: undefined };
  const alsoDropped = namedByConnection(headers);
  let seenSingles = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const rule = headerRule(name);
    if (rule.single >= 0) {
      const bit = 1 << rule.single;
      if ((seenSingles & bit) !== 0) throw new SigningError('duplicate_header', `the header ${rule.lower} is there twice`);
      seenSingles |= bit;
    }
    if (rule.fate === 'drop' || rule.fate === 'connection' || alsoDropped?.has(rule.lower) === true) continue;
    const canonical = canonicalValue(value);
    if (rule.lower === 'content-length') {
      kept.contentLength = value;
      continue;
    }
    if (rule.lower === 'x-amz-content-sha256') kept.contentSha256 = canonical;
    kept.raw.push(name, value);
    if (rule.fate === 'sign') kept.signed.push({ name: rule.lower, value: canonical });
  }
  return kept;
}

function namedByConnection(headers: readonly string[]): Set<string> | undefined {
  let names: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headerRule(headers[i] ?? '').fate !== 'connection') continue;
    for (const name of (headers[i + 1] ?? '').toLowerCase().split(',')) {
      names ??= new Set();
      names.add(name.trim());
    }
  }
  return names;
}

export function addHeader(kept: KeptHeaders, name: string, value: string): void {
  kept.raw.push(name, value);
  kept.signed.push({ name, value });
}
