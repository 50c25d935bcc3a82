import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getItem } from '@postern/test-harness/load.ts';
import { must } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment of an agent', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let impostor: Server;
  let asked = 0;

  beforeAll(async () => {
    await stage.open();
    const [key, cert] = [join(cluster.dir, 'impostor.key'), join(cluster.dir, 'impostor.pem')];
    const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await must(['openssl', 'req', '-x509', ...curve, '-days', '2', ...named, '-keyout', key, '-out', cert]);
    impostor = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, answer) => {
      asked += 1;
      answer.end();
    });
    await new Promise<void>((resolve) => impostor.listen(0, 'localhost', resolve));
  });
  afterAll(async () => {
    impostor.close();
    await cluster.stop();
  });

  it('makes nobody’s certificate do for STS: the impostor is told nothing, the person is told why', async () => {
    const { port } = impostor.address() as AddressInfo;
    const agent = stage.agent('agent', {
      env: { NODE_TLS_REJECT_UNAUTHORIZED: '0', AWS_ENDPOINT_URL_STS: `https://localhost:${port}` },
    });
    await stage.attached(agent);
    const answer = await getItem((await cluster.openTunnel('alice')).port);
    expect([answer.status, asked, cluster.dynamoDbAtAws().length]).toEqual([503, 0, 0]);
    expect(agent.log()).toMatch(/NODE_TLS_REJECT_UNAUTHORIZED is not heeded/);
  });
});
