import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WaitingLine } from '#waiting-line.ts';

interface One {
  readonly name: number;
  state: 'waiting' | 'gone';
}

it('gives whoever waits from either end, as a plain list would', () => {
  const steps = fc.array(fc.oneof(fc.constantFrom('push', 'shift', 'pop'), fc.nat({ max: 60 })), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (taken) => {
      const line = new WaitingLine<One>();
      const all: One[] = [];
      let plain: One[] = [];
      for (const step of taken) {
        const waits = () => (plain = plain.filter(({ state }) => state === 'waiting'));
        if (step === 'push') {
          const one: One = { name: all.length, state: 'waiting' };
          all.push(one);
          plain.push(one);
          line.push(one);
        } else if (step === 'shift') expect(line.shift()?.name).toBe(waits().shift()?.name);
        else if (step === 'pop') expect(line.pop()?.name).toBe(waits().pop()?.name);
        else {
          const one = typeof step === 'number' ? all[step] : undefined;
          if (one) one.state = 'gone';
        }
      }
    }),
  );
});
