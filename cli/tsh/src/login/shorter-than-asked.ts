import { durationText } from '@postern/terminal/output';

const MINUTE_MS = 60_000;

/** A line for whoever asked with --ttl for more than auth gives; undefined where there is none to say. */
export function shorterThanAsked(askedMinutes: number | undefined, lastsMs: number): string | undefined {
  if (askedMinutes === undefined || askedMinutes * MINUTE_MS - lastsMs < MINUTE_MS) return undefined;
  const lasts = durationText(Math.round(lastsMs / MINUTE_MS) * MINUTE_MS);
  return `this sign-in lasts ${lasts} and not ${askedMinutes} minutes: no role gives more than 30 hours, and max_session_ttl may give less`;
}
