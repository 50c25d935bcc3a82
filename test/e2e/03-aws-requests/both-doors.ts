import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort } from '@postern/test-harness/processes.ts';
import { afterAll, beforeAll } from 'vitest';
import { openDoor, openStage } from '#02-aws-guide/stage.ts';
import type { Keys } from '#03-aws-requests/signer.ts';
import { type Door, endpointDoor, proxyDoor } from '#03-aws-requests/wire.ts';

/** A door, and what the environment of a tool says that goes through it. */
export interface ClientDoor {
  readonly door: Door;
  readonly env: Readonly<Record<string, string>>;
}
export type DoorName = 'tsh proxy aws' | 'tsh up';
export const doorNames: readonly DoorName[] = ['tsh proxy aws', 'tsh up'];

type Doors = Readonly<Record<DoorName, ClientDoor>>;

/** A stage with both doors open, from before the first test of a story until after its last; call it where the story is described. */
export class BothDoors {
  readonly cluster = new Cluster();
  #opened: { readonly agent: Daemon; readonly doors: Doors } | undefined;

  constructor() {
    beforeAll(async () => {
      this.#opened = { agent: await openStage(this.cluster), doors: await openBothDoors(this.cluster) };
    }, 120_000);
    afterAll(async () => {
      await this.cluster.sh('tsh down');
      await this.cluster.stop();
    });
  }

  get doors(): Doors {
    return this.#get().doors;
  }
  get agent(): Daemon {
    return this.#get().agent;
  }

  #get() {
    if (this.#opened === undefined) throw new Error('the doors are open within a test');
    return this.#opened;
  }
}

/** `tsh proxy aws` and `tsh up` side by side, of the person who is signed in to the stage. */
async function openBothDoors(cluster: Cluster): Promise<Doors> {
  await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
  const { env } = await openDoor(cluster);
  const port = await freePort();
  await cluster.mustSh(`tsh up --port ${port}`);
  const printed = JSON.parse(await cluster.mustSh('tsh apps config aws --format=aws-credential-process')) as Record<string, string>;
  const keys: Keys = { id: printed['AccessKeyId'] ?? '', secret: printed['SecretAccessKey'] ?? '' };
  const endpoint = { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  return { 'tsh proxy aws': { door: proxyDoor(env), env }, 'tsh up': { door: endpointDoor(port, keys), env: endpoint } };
}

/** One request as the emulator wrote it down. */
export interface Arrived {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly operation?: string;
  readonly region?: string;
  readonly payload?: string;
  readonly bodySha256: string;
  readonly bodyBytes: number;
  readonly verified: boolean;
  readonly refusal?: string;
}

/** What came since, but for the agent's own requests. */
export function arrivedAfter(cluster: Cluster, before: number): readonly Arrived[] {
  const entries = cluster.rawLog().slice(before) as unknown as readonly Arrived[];
  return entries.filter(({ operation }) => operation !== 'AssumeRole');
}

/** As they stood on the wire. */
export function linesOf({ headers }: Pick<Arrived, 'headers'>, name: string): readonly string[] {
  return headers.filter(([shown]) => shown.toLowerCase() === name).map(([, value]) => value);
}
