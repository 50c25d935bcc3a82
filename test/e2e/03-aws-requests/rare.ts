import { join } from 'node:path';
import type { Cluster } from '@postern/test-harness/cluster.ts';
import { clientEnv } from '#02-aws-guide/stage.ts';
import type { Arrived, ClientDoor } from '#03-aws-requests/both-doors.ts';

/** One request as boto3 wrote it. */
interface Written {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly sha256: string;
}
export interface Told {
  readonly written: readonly Written[];
  readonly read: unknown;
}

/** Of the signature, of the frame, or of the one hop: these are another's at AWS. */
const ofTheHop = /^(?:authorization|x-amz-date|x-amz-security-token|host|content-length|transfer-encoding|connection|expect)$/;

const kept = (headers: Written['headers']) =>
  headers
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((line) => !ofTheHop.test(line.slice(0, line.indexOf(':'))))
    .toSorted();

/** What has to be the same at both ends: the first line, each header that is not of the hop, and the body. */
export const asWritten = ({ method, path, headers, sha256 }: Written) => ({ line: `${method} ${path}`, headers: kept(headers), sha256 });
export const asArrived = ({ method, path, headers, bodySha256: sha256 }: Arrived) => ({
  line: `${method} ${path}`,
  headers: kept(headers),
  sha256,
});

export interface Wish {
  readonly case: string;
  /** For names of its own. */
  readonly suffix?: string;
  readonly timeoutMs?: number;
}

/** Has boto3 make requests of rare.py through a door. */
export async function ask(cluster: Cluster, { env }: ClientDoor, wish: Wish): Promise<Told> {
  const program = join(import.meta.dirname, 'rare.py');
  const printed = await cluster.mustSh(`python3 ${program} ${wish.suffix ?? '-'} ${wish.case}`, {
    env: clientEnv(env),
    timeoutMs: wish.timeoutMs ?? 60_000,
  });
  return JSON.parse(printed) as Told;
}
