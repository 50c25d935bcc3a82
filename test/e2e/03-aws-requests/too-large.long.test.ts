import { join } from 'node:path';
import { lacking } from '@postern/test-harness/programs.ts';
import { describe, expect, it } from 'vitest';
import { clientEnv } from '#02-aws-guide/stage.ts';
import { BothDoors, doorNames } from '#03-aws-requests/both-doors.ts';

const cannot = lacking('boto3');

/** boto3 writes 257 MiB of a form for many seconds, and for a minute where the machine does other things besides. */
describe.skipIf(cannot !== undefined)('a form that is too large to be held until it is hashed', () => {
  const stage = new BothDoors();
  const { cluster } = stage;

  it.each(doorNames)('is 413 in the words of the query protocol through %s, and nothing reaches AWS', async (name) => {
    const before = cluster.rawLog().length;
    const program = join(import.meta.dirname, 'too-large.py');
    const printed = await cluster.mustSh(`python3 ${program} form`, { env: clientEnv(stage.doors[name].env), timeoutMs: 300_000 });
    const words = expect.stringMatching(/^the request body is over 256 MiB, .*: send x-amz-content-sha256, or parts$/) as unknown;
    expect(JSON.parse(printed)).toEqual({ form: [413, 'RequestEntityTooLarge', words] });
    expect(cluster.rawLog()).toHaveLength(before);
  });
});
