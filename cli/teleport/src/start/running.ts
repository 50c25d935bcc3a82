import type { RunningAuth } from '@postern/auth';
import type { RunningAgent } from '@postern/db-agent';
import type { RunningProxy } from '@postern/proxy';

export interface Readiness {
  readonly ok: boolean;
  readonly reason?: string;
}
/** The parts of one process. */
export interface Running {
  readonly auth?: RunningAuth;
  readonly proxy?: RunningProxy;
  readonly agent?: RunningAgent;
  readonly appAgent?: RunningAgent;
}

/** Agents first, so that open requests end while the way back still stands; auth last, for it takes their last events. */
export async function stopAll({ auth, proxy, agent, appAgent }: Running): Promise<void> {
  await Promise.all([agent?.stop(), appAgent?.stop()]);
  await proxy?.stop();
  await auth?.stop();
}
