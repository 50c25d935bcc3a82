import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type LiveSession, type Spool } from '@postern/agent';
import type { SessionPlace } from '#requests/session-place.ts';

const KIND = 'app.session.tunnel';
const CODES = { ok: 'T2015I', failed: 'T2015E' };

export interface TunnelFacts {
  readonly session: LiveSession;
  readonly place: SessionPlace | undefined;
  readonly host: string;
}

export interface CarriedBytes {
  readonly sent: number;
  readonly received: number;
}

/** Tunnels to hosts whose bytes pass untouched: that there was one, to where, as whom, and how much. */
export class TunnelRecords {
  readonly #spool: Pick<Spool, 'write' | 'writeLater'>;
  readonly #nowMs: () => number;

  constructor(options: { readonly spool: Pick<Spool, 'write' | 'writeLater'>; readonly nowMs: () => number }) {
    this.#spool = options.spool;
    this.#nowMs = options.nowMs;
  }

  /** Calls back once the intent is on disk, with how to record the end; with nothing where it cannot be. */
  begin(facts: TunnelFacts, durable: (end: ((carried: CarriedBytes, error?: string) => void) | undefined) => void): void {
    const requestId = randomUUID();
    const head = headOf(facts.session);
    const fields = EventFields.of(fieldsOf(facts));
    const startedMs = this.#nowMs();
    const intent = { head, id: requestId, code: CODES.ok, timeMs: startedMs, success: true, fields };
    this.#spool.write({ ...intent, phase: { phase: 'intent', requestId } }, (refused) => {
      if (refused !== undefined) return durable(undefined);
      durable(({ sent, received }, error) => {
        const timeMs = this.#nowMs();
        this.#spool.writeLater({
          head,
          id: randomUUID(),
          code: error === undefined ? CODES.ok : CODES.failed,
          timeMs,
          success: error === undefined,
          fields: fields.and({
            duration_ms: timeMs - startedMs,
            request_bytes: sent,
            bytes: received,
            ...(error === undefined ? { outcome: 'answered' } : { outcome: sent > 0 ? 'unknown' : 'not_sent', error }),
          }),
          phase: { phase: 'outcome', requestId },
        });
      });
    });
  }

  refused(facts: TunnelFacts, reason: string, role?: string): void {
    this.#spool.writeLater({
      head: headOf(facts.session),
      id: randomUUID(),
      code: CODES.failed,
      timeMs: this.#nowMs(),
      success: false,
      fields: EventFields.of({
        ...fieldsOf(facts),
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

function fieldsOf({ session, place, host }: TunnelFacts): Readonly<Record<string, unknown>> {
  const { route, clientAddress } = session.facts;
  return {
    app_name: route.resourceName,
    aws_role_arn: place?.roleArn ?? route.principal,
    aws_host: host.slice(0, 253),
    'addr.remote': clientAddress,
  };
}
