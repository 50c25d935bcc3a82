import type { Caller } from '@postern/api';
import { RateLimiter } from '#limits/rate-limiter.ts';
import { networkOf } from '@postern/pki';
import type { Act, Trail } from '#trail/act.ts';

export interface RefusalRecorder {
  call(refusal: { readonly method: string; readonly caller: Caller | undefined; readonly reason: string }): void;
  connection(refusal: { readonly address: string; readonly reason: string }): void;
}

const A_MINUTE_MS = 60_000;

/**
 * Calls and connections that were turned away at the door, for the audit log. Anybody who can reach the port can be turned
 * away as often as he likes, so each address and all together have a share a minute, and the rest is a number.
 */
export function refusalRecorder(options: {
  readonly trail: Trail;
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}): RefusalRecorder {
  const byNetwork = new RateLimiter({ limit: 30, windowMs: A_MINUTE_MS });
  const overall = new RateLimiter({ limit: 300, windowMs: A_MINUTE_MS });
  let unrecorded = 0;
  const record = (address: string, act: Act) => {
    const nowMs = options.nowMs();
    if (!byNetwork.take(networkOf(address), nowMs) || !overall.take('all', nowMs)) {
      unrecorded++;
      return;
    }
    const fields = { ...act.fields, 'addr.remote': address, ...(unrecorded > 0 ? { refusals_not_recorded: unrecorded } : {}) };
    unrecorded = 0;
    options.trail.record({ ...act, fields }).catch(options.onError);
  };
  return {
    call: ({ method, caller, reason }) => {
      const identity = caller?.kind === 'identified' ? caller.identity : undefined;
      record(caller?.address ?? 'unknown', {
        kind: 'auth.refused',
        code: 'TPA02W',
        success: false,
        user: identity?.name ?? '',
        fields: { method, error: reason, identity_kind: identity?.kind ?? 'none' },
      });
    },
    connection: ({ address, reason }) =>
      record(address, { kind: 'auth.refused', code: 'TPA03W', success: false, fields: { error: reason } }),
  };
}
