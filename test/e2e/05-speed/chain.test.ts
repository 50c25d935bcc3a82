import { join } from 'node:path';
import { Cluster, KEY_ID, KEY_SECRET, root } from '@postern/test-harness/cluster.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { afterAll, describe, expect, it } from 'vitest';

describe('the signing proxy of the chain that the bench compares with', () => {
  const cluster = new Cluster();
  afterAll(() => cluster.stop());

  it('signs so that AWS carries the request out, with whatever signature it came', async () => {
    await cluster.startEmulator();
    const command = [process.execPath, join(root, 'bench/chain/signing-proxy.mjs'), cluster.emulatorUrl, 'us-east-1'];
    const signer = cluster.daemon('signer', command, { AWS_ACCESS_KEY_ID: KEY_ID, AWS_SECRET_ACCESS_KEY: KEY_SECRET });
    const port = Number((await signer.says(/listening on (\d+)/))[1]);
    const { status, body } = await getItem(port);
    expect({ status, body }).toMatchObject({ status: 400, body: expect.stringContaining('ResourceNotFoundException') as string });
    expect(cluster.dynamoDbAtAws()).toMatchObject([{ operation: 'GetItem', region: 'us-east-1', verified: true }]);
  });
});
