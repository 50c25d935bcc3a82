import { Writable } from 'node:stream';
import { createLogger } from '@postern/telemetry';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CredentialWatch } from '#credentials/credential-watch.ts';

const keys = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'kept to itself' };
const watches: CredentialWatch[] = [];
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  for (const watch of watches.splice(0)) watch.stop();
});

function watching() {
  const state: { problem: string | undefined; looks: number } = { problem: 'the agent has no AWS credentials: container: away', looks: 0 };
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const source = {
    current: () => {
      state.looks += 1;
      return state.problem === undefined ? Promise.resolve(keys) : Promise.reject(new Error('none'));
    },
    get problem() {
      return state.problem;
    },
  };
  const watch = new CredentialWatch({ source, logger: createLogger({ service: 'test', level: 'info', format: 'json', destination }) });
  watches.push(watch);
  return { state, lines, watch };
}

/** As long as ten looks take. */
const pass = () => vi.advanceTimersByTimeAsync(100_000);

describe('the watch over the agent’s own credentials', () => {
  test('says that nothing is known before the first look, then what is missing, then that nothing is', async () => {
    const { state, watch } = watching();
    expect(watch.problems()).toEqual(['the agent’s AWS credentials are still being looked for']);
    await vi.advanceTimersByTimeAsync(0);
    expect(watch.problems()).toEqual(['the agent has no AWS credentials: container: away']);
    state.problem = undefined;
    await pass();
    expect(watch.problems()).toEqual([]);
  });

  test('tells the log once of a lack that lasts, once of its end, and never of a key', async () => {
    const { state, lines } = watching();
    await pass();
    expect(state.looks).toBeGreaterThan(5);
    state.problem = undefined;
    await pass();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('container: away');
    expect(lines[1]).toContain('are there again');
    expect(lines.join('')).not.toContain(keys.secretAccessKey);
  });

  test('tells the log when what is missing becomes another thing', async () => {
    const { state, lines } = watching();
    await pass();
    state.problem = 'STS refuses the AWS credentials of the agent: they have expired';
    await pass();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('they have expired');
  });

  test('looks no more once it is stopped', async () => {
    const { state, watch } = watching();
    await pass();
    watch.stop();
    const { looks } = state;
    await pass();
    expect(state.looks).toBe(looks);
  });
});
