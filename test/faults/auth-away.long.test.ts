import { afterAll, beforeAll, describe } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { authAway, furnishForAway } from '#auth-away.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('auth away for ten minutes', () => {
  const stage = new Stage();
  let ports = { alice: 0, sam: 0 };
  let aftermath: Aftermath;

  beforeAll(async () => {
    await stage.open({ apart: true });
    await stage.attached(stage.agent('one'));
    ports = await furnishForAway(stage);
    aftermath = await Aftermath.before(stage.cluster);
  });
  afterAll(() => stage.cluster.stop());

  authAway(stage, () => ports, { forMs: 600_000, strictCutAtMs: 300_000, aftermath: () => aftermath });
});
