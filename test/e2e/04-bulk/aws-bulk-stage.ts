import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, KEY_ID, KEY_SECRET } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, run } from '@postern/test-harness/processes.ts';
import { openDoor, openStage } from '../02-aws-guide/stage.ts';
import { openNginxHop } from './nginx-hop.ts';
import type { Transferred, Way } from './s3-transfer.ts';
import { type Body, type Credentials, signedTransfer } from './signed-transfer.ts';

const AWS_HOST = 's3.us-east-1.amazonaws.com';
const BUCKET = 'bulk';
const TRANSFER_MS = 300_000;

/** A way to the emulator, and what a request on it says of itself. */
interface Reached {
  readonly to: Way;
  readonly host: string;
  readonly credentials: Credentials;
}

export type WayName = 'endpoint' | 'door' | 'nginx';

/** A cluster in which alice reaches S3 by the port of `tsh up` and by that of `tsh proxy aws`; beside it one hop of nginx to the same "AWS". */
export class AwsBulkStage {
  readonly cluster = new Cluster();
  readonly #ways = new Map<WayName, Reached>();
  /** What a byte passes on its way through Postern. */
  readonly daemons: Record<string, Daemon> = {};

  async open(): Promise<void> {
    const { cluster } = this;
    await openStage(cluster, { apart: true, tls: true });
    const { port: nginxPort } = await openNginxHop(cluster, cluster.emulatorTlsPort);
    const ca = readFileSync(join(cluster.dir, 'web-ca.pem'), 'utf8');
    const direct = { accessKeyId: KEY_ID, secretAccessKey: KEY_SECRET };
    this.#ways.set('nginx', { to: { port: nginxPort, name: 'localhost', ca }, host: AWS_HOST, credentials: direct });

    await cluster.mustSh('tsh apps login aws');
    const endpointPort = await freePort();
    const home = { TELEPORT_HOME: cluster.homeOf('alice') };
    this.daemons['tsh up'] = cluster.daemon('tsh-up', ['tsh', 'up', '--foreground', '--port', String(endpointPort)], home);
    const printed = await cluster.mustSh('tsh apps config aws --format=aws-credential-process');
    const { AccessKeyId, SecretAccessKey } = JSON.parse(printed) as { readonly AccessKeyId: string; readonly SecretAccessKey: string };
    this.#ways.set('endpoint', {
      to: { port: endpointPort },
      host: `localhost:${endpointPort}`,
      credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey },
    });

    const door = await openDoor(cluster);
    this.daemons['tsh proxy aws'] = door.daemon;
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_CA_BUNDLE = '' } = door.env;
    this.#ways.set('door', {
      to: { port: 443, proxyPort: door.port, name: AWS_HOST, ca: readFileSync(AWS_CA_BUNDLE, 'utf8') },
      host: AWS_HOST,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    });
    for (const daemon of cluster.running().filter(({ name }) => ['proxy-host', 'app-agent'].includes(name)))
      this.daemons[daemon.name] = daemon;
    await cluster.awsObject('us-east-1', { bucket: BUCKET });
    // Uploads are hashed, counted and not kept.
    await cluster.awsFault('PutObject', { discard: true });
  }

  /** An object of so many bytes, to be downloaded by this key. */
  async object(key: string, bytes: number): Promise<void> {
    await this.cluster.awsObject('us-east-1', { bucket: BUCKET, key, generatedBytes: bytes });
  }

  /** One request of a client that is a process of its own. */
  async transfer(way: WayName, key: string, body?: Body): Promise<Transferred> {
    const reached = this.#ways.get(way);
    if (reached === undefined) throw new Error(`${way} is not open`);
    const input = JSON.stringify(await signedTransfer({ ...reached, path: `/${BUCKET}/${key}` }, body));
    const { code, stdout, stderr } = await run([process.execPath, join(import.meta.dirname, 's3-transfer.ts')], {
      input,
      env: { PATH: process.env['PATH'] },
      timeoutMs: TRANSFER_MS,
    });
    if (code !== 0) throw new Error(`the client exited ${code}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Transferred;
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}
