const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations: `8h`, `1h30m`, `8h0m0s`, `1.5h`, `0s`. Undefined where it is none, or negative. */
export function parseDurationMs(text: string): number | undefined {
  if (text.length > 64 || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/u.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/gu)) total += Number(amount) * (unitMs[unit] ?? 0);
  return Number.isFinite(total) ? Math.round(total) : undefined;
}
