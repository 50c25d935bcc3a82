import { afterAll, beforeAll, beforeEach, describe, it } from 'vitest';
import { lacking } from '@postern/test-harness/programs.ts';
import { AppAgents } from '#app-agents.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('two application agents of which the one that serves is cut off', () => {
  const agents = new AppAgents();
  beforeAll(() => agents.open());
  beforeEach(() => agents.heal());
  afterAll(() => agents.cluster.stop());

  it.each([
    ['F-29 both ways', {}],
    ['F-30 what it says does not arrive (agent to proxy)', { way: 'up' }],
    ['F-30 it does not hear (proxy to agent)', { way: 'down' }],
  ] as const)('%s: told in 5 s, the other serves, the tunnel is dropped in 30 s and comes back in 15', async (_title, way) => {
    await agents.cutOff(way);
  });
});
