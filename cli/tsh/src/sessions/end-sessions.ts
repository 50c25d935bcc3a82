import { callUnary, CertsService, PosternError } from '@postern/api';
import { openProfileChannel } from '@postern/profile/open-profile-channel';
import { reachAuth } from '@postern/profile/reach-auth';
import type { SignedIn } from '@postern/profile/signed-in';
import { warn } from '@postern/terminal/output';

/** Tells auth that these sessions are over. What lay here is removed already: where auth cannot be told the certificates end by themselves. */
export async function endSessions(who: SignedIn, sessionIds: readonly string[]): Promise<void> {
  if (sessionIds.length === 0) return;
  try {
    await reachAuth(openProfileChannel(who), who.profile.proxy, async (client) => {
      for (const sessionId of sessionIds) await endOne(() => callUnary(client, CertsService.endSession, { sessionId }));
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const end = new Date(who.profile.validUntilMs).toISOString();
    warn(`${reason}: agents could not be told of the logout, and a copy of the session's certificate is good until ${end} at most`);
  }
}

/** One that auth does not know any more is over. */
async function endOne(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'not_found') throw error;
  }
}
