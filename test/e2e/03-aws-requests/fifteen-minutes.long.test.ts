import { lacking } from '@postern/test-harness/programs.ts';
import { describe, expect, it } from 'vitest';
import { arrivedAfter, doorNames, BothDoors } from '#03-aws-requests/both-doors.ts';
import { ask } from '#03-aws-requests/rare.ts';

const cannot = lacking('boto3');
const MINUTE = 60_000;
/** A function of Lambda may run for fifteen, and says nothing until it has ended. */
const ANSWERS_AFTER_MS = 14.9 * MINUTE;

describe.skipIf(cannot !== undefined)('a function that takes as long as AWS lets it', () => {
  const stage = new BothDoors();
  const { cluster } = stage;

  it(
    'is heard by whoever waits for it at either door, however still it is on the way',
    async () => {
      await cluster.awsFault('Invoke', { delayMs: ANSWERS_AFTER_MS });
      const before = cluster.rawLog().length;
      const told = await Promise.all(doorNames.map((name) => ask(cluster, stage.doors[name], { case: 'late', timeoutMs: 16 * MINUTE })));
      expect(told.map(({ read }) => read)).toEqual(doorNames.map(() => ({ patience: true })));
      // Nobody asked twice.
      expect(arrivedAfter(cluster, before).map(({ operation, verified }) => [operation, verified])).toEqual(
        doorNames.map(() => ['Invoke', true]),
      );
    },
    20 * MINUTE,
  );
});
