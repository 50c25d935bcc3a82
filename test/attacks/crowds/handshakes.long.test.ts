import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { loadOf } from '@postern/test-harness/process-load.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { must } from '@postern/test-harness/processes.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Crowd, TUNNEL } from '#crowds/crowd.ts';

const cannot = lacking('openssl');
const HANDSHAKES = 50_000;
/** What the first ones make room for is kept, and is no leak. */
const FIRST = 10_000;
const AT_ONCE = 16;

interface Shown {
  readonly cert: string;
  readonly key: string;
}

/** Node has leaked a client's certificate at each handshake before: CVE-2025-59464. */
describe.skipIf(cannot !== undefined)('handshakes with client certificates, a hundred thousand', () => {
  const crowd = new Crowd();
  const shown: Record<string, Shown> = {};

  beforeAll(async () => {
    await crowd.open();
    const { certificatePem: cert, privateKeyPem: key } = await crowd.host('of-many');
    shown['a valid certificate'] = { cert, key };
    const { dir } = crowd.stage.cluster;
    const [certFile, keyFile] = [join(dir, 'nobody.pem'), join(dir, 'nobody.key')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    await must(['openssl', 'req', '-x509', ...curve, '-days', '2', '-subj', '/CN=nobody', '-keyout', keyFile, '-out', certFile]);
    shown['a certificate of nobody'] = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  });
  afterAll(() => crowd.stage.cluster.stop());

  /** Until both ends have said all that they say. */
  async function handshake({ cert, key }: Shown): Promise<void> {
    const ca = [...crowd.hostCas];
    const socket = connect({
      port: crowd.port,
      servername: TUNNEL,
      ca,
      cert,
      key,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => undefined).once('secureConnect', () => socket.end());
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
  async function many(count: number, of: Shown): Promise<void> {
    let left = count;
    const work = async () => {
      while (left > 0) {
        left -= 1;
        await handshake(of);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  it.each(['a valid certificate', 'a certificate of nobody'])('ED-15 with %s leave the proxy as large as it was', async (name) => {
    const of = shown[name] ?? expect.fail('no such certificate');
    await many(FIRST, of);
    const before = loadOf(crowd.proxyPid);
    await many(HANDSHAKES - FIRST, of);
    const after = loadOf(crowd.proxyPid);
    console.log(name, { beforeMiB: before.rssMiB, afterMiB: after.rssMiB });
    expect(after.rssMiB).toBeLessThan(1.1 * before.rssMiB);
    expect(after.descriptors).toBeLessThan(before.descriptors + 10);
    expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
  });
});
