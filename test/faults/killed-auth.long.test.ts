import { afterAll, beforeAll, describe, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { killAuthRounds } from '#rounds.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('auth killed at any moment, fifty times', () => {
  const stage = new Stage();
  let aftermath: Aftermath;

  beforeAll(async () => {
    await stage.open({ apart: true });
    await stage.attached(stage.agent('one'));
    aftermath = await Aftermath.before(stage.cluster);
  });
  afterAll(() => stage.cluster.stop());

  killAuthRounds(stage, 50);

  it('after all of it nothing is lost', async () => {
    await aftermath.check();
  });
});
