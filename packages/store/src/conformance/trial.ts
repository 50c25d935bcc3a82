import { afterEach, beforeEach } from 'vitest';
import { type Store, StoreError, type StoreEvent } from '#store.ts';

/** A store to be tried, with a clock that the test moves by hand. */
export interface StoreUnderTest {
  readonly open: () => Promise<Store>;
  readonly clock: { nowMs: number };
  readonly discard: () => Promise<void>;
}

/** One test's store: made before it, closed and discarded after it. A test that restarts puts the new one in. */
export interface Trial {
  under: StoreUnderTest;
  store: Store;
  stop: AbortController;
  readonly collect: (prefix: string, until: (events: StoreEvent[]) => boolean) => Promise<StoreEvent[]>;
}

export function trialOf(make: () => Promise<StoreUnderTest>): Trial {
  const trial = {
    collect: async (prefix: string, until: (events: StoreEvent[]) => boolean) => {
      const events: StoreEvent[] = [];
      for await (const event of trial.store.watch(prefix, { signal: trial.stop.signal })) {
        events.push(event);
        if (until(events)) break;
      }
      return events;
    },
  } as Trial;
  beforeEach(async () => {
    trial.under = await make();
    trial.store = await trial.under.open();
    trial.stop = new AbortController();
  });
  afterEach(async () => {
    trial.stop.abort();
    await trial.store.close();
    await trial.under.discard();
  });
  return trial;
}

export const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return error instanceof StoreError ? error.code : error;
  }
};
