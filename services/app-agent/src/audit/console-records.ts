import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type LiveSession, type Spool } from '@postern/agent';
import type { SessionPlace } from '#requests/session-place.ts';

const KIND = 'app.session.console';
const CODES = { ok: 'T2014I', failed: 'T2014E' };

export interface RefusedSignIn {
  readonly session: LiveSession;
  readonly place: SessionPlace | undefined;
  readonly destination: string;
  readonly reason: string;
  readonly role?: string | undefined;
}

/** A sign-in whose end is owed. */
export interface OpenSignIn {
  /** `accessKeyId` names the role's session as CloudTrail does; it is no secret. */
  done(what: { readonly sessionSeconds: number; readonly accessKeyId: string }): void;
  failed(reason: string): void;
}

/** The sign-ins to the console. The address, its token and the keys behind it are in no event. */
export class ConsoleRecords {
  readonly #spool: Pick<Spool, 'write' | 'writeLater'>;
  readonly #nowMs: () => number;

  constructor(options: { readonly spool: Pick<Spool, 'write' | 'writeLater'>; readonly nowMs: () => number }) {
    this.#spool = options.spool;
    this.#nowMs = options.nowMs;
  }

  /** Resolves once the intent is on disk; rejects where it cannot be, and then nothing may be asked of AWS. */
  begin(session: LiveSession, place: SessionPlace, destination: string): Promise<OpenSignIn> {
    const requestId = randomUUID();
    const head = headOf(session);
    const fields = EventFields.of(fieldsOf(session, place, destination));
    const startedMs = this.#nowMs();
    const end = (success: boolean, more: Readonly<Record<string, unknown>>) => {
      const timeMs = this.#nowMs();
      this.#spool.writeLater({
        head,
        id: randomUUID(),
        code: success ? CODES.ok : CODES.failed,
        timeMs,
        success,
        fields: fields.and({ duration_ms: timeMs - startedMs, ...more }),
        phase: { phase: 'outcome', requestId },
      });
    };
    return new Promise((resolve, reject) => {
      const intent = { head, id: requestId, code: CODES.ok, timeMs: startedMs, success: true, fields };
      this.#spool.write({ ...intent, phase: { phase: 'intent', requestId } }, (error) => {
        if (error !== undefined) return reject(error);
        resolve({
          done: ({ sessionSeconds, accessKeyId }) =>
            end(true, { outcome: 'answered', session_seconds: sessionSeconds, aws_access_key_id: accessKeyId }),
          failed: (reason) => end(false, { outcome: 'not_sent', error: reason.slice(0, 2048) }),
        });
      });
    });
  }

  refused({ session, place, destination, reason, role }: RefusedSignIn): void {
    this.#spool.writeLater({
      head: headOf(session),
      id: randomUUID(),
      code: CODES.failed,
      timeMs: this.#nowMs(),
      success: false,
      fields: EventFields.of({
        ...fieldsOf(session, place, destination),
        phase: 'refusal',
        error: reason.slice(0, 2048),
        ...(role === undefined ? {} : { role }),
      }),
    });
  }
}

function headOf(session: LiveSession): EventHead {
  const { route } = session.facts;
  return new EventHead({
    kind: KIND,
    user: session.user,
    resource: `${route.resourceKind}/${route.resourceName}`,
    sessionId: session.id,
  });
}

function fieldsOf(session: LiveSession, place: SessionPlace | undefined, destination: string): Readonly<Record<string, unknown>> {
  const { route, identity, clientAddress } = session.facts;
  return {
    app_name: route.resourceName,
    aws_role_arn: place?.roleArn ?? route.principal,
    // What stands behind a page's name may be anything of the user's.
    destination: destination.slice(0, 1024).replace(/[?#].*$/s, ''),
    user_roles: identity.roles,
    'addr.remote': clientAddress,
  };
}
