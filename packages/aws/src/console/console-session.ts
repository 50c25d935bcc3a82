import type { Refusal } from '#refusals/refusal.ts';
import { spanOf } from '#handouts/cap-durations.ts';

export type ConsoleSessionInput = {
  /** whether the agent's own keys have a session token: AWS lets a role that was assumed with such live an hour, and its console too */
  readonly agentCredentialsAreTemporary: boolean;
  /** of the user's certificate */
  readonly remainingSeconds: number;
  /** what an administrator allows a console session at most; default twelve hours, which is AWS's own limit */
  readonly maxSeconds?: number;
};

export type ConsoleSession = {
  /** for sts:AssumeRole */
  readonly assumeRoleSeconds: number;
  /** for getSigninToken; absent where AWS forbids to ask, and the console lives as long as the role's credentials */
  readonly sessionSeconds?: number;
};

const shortestSeconds = 900;
const hour = 3600;
const longestSeconds = 12 * hour;

/**
 * How long a console session may last: to the end of the user's certificate, since nobody but AWS can end it sooner. Fifteen minutes is the
 * least that AWS gives. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
 */
export function consoleSession(input: ConsoleSessionInput): ConsoleSession | Refusal {
  const { agentCredentialsAreTemporary, remainingSeconds, maxSeconds = longestSeconds } = input;
  const seconds = Math.floor(Math.min(remainingSeconds, maxSeconds, longestSeconds));
  if (!(seconds >= shortestSeconds)) {
    const reason = remainingSeconds < maxSeconds ? 'your session ends in' : 'the application allows a console session of';
    return {
      refusal:
        `a console session lasts ${spanOf(shortestSeconds)} at least, and ${reason} ${spanOf(Math.min(remainingSeconds, maxSeconds))}` +
        (remainingSeconds < maxSeconds ? ': sign in again with tsh login' : ''),
    };
  }
  const assumeRoleSeconds = Math.min(seconds, hour);
  return agentCredentialsAreTemporary ? { assumeRoleSeconds } : { assumeRoleSeconds, sessionSeconds: seconds };
}
