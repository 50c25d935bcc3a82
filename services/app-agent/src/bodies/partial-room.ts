import type { PartialRoom } from '@postern/aws';
import type { BodyBudget } from '@postern/http';
import { limits } from '@postern/limits';

const MIB = 1024 * 1024;

/** Room for a message of a stream until it is whole, in the one memory for all that is held: however many streams, each holds a part of one. */
export function partialRoom(owner: string, { memory, small }: { readonly memory: BodyBudget; readonly small: BodyBudget }): PartialRoom {
  let taken = 0;
  let fromSmall = 0;
  let lacks: ReturnType<BodyBudget['lacks']>;
  return {
    take(bytes) {
      lacks = memory.lacks(owner, bytes);
      if (!memory.take(owner, bytes)) {
        if (taken + bytes > limits.appSmallBodyBytes || !small.take(owner, bytes)) return false;
        fromSmall += bytes;
      }
      taken += bytes;
      return true;
    },
    // Of one message at a time, and all of it.
    give(bytes) {
      memory.give(owner, bytes - fromSmall);
      small.give(owner, fromSmall);
      taken = 0;
      fromSmall = 0;
    },
    get full(): string {
      if (lacks === 'total') return 'this agent has no room now for messages that are not whole: try again';
      return `this agent has no more room for messages that are not whole, of which it holds ${limits.appMemoryBytes / 2 / MIB} MiB for one user: send fewer at a time`;
    },
  };
}
