import { blackBox } from '@postern/test-harness/vitest-config.ts';

export default blackBox();
