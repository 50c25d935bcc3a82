import { describe } from 'vitest';
import { describeBatches } from '#conformance/batches.ts';
import { describeEntries } from '#conformance/entries.ts';
import { type StoreUnderTest, trialOf } from '#conformance/trial.ts';
import { describeWatches } from '#conformance/watches.ts';

/** What every Store promises; one call per implementation. */
export function describeStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps what every store promises`, () => {
    const trial = trialOf(make);
    describeEntries(trial);
    describeBatches(trial);
    describeWatches(trial);
  });
}
