import { randomUUID } from 'node:crypto';
import { type AuditEvent, PosternError } from '@postern/api';
import type { AuditLog } from '#audit/audit-log.ts';
import type { Act, Trail } from '#trail/act.ts';

const MAX_FIELD_LENGTH = 1024;

/** Auth's own acts, written into the audit log under auth's host id. */
export class AuditTrail implements Trail {
  readonly #log: AuditLog;
  readonly #hostId: string;
  readonly #nowMs: () => number;

  constructor(options: { readonly log: AuditLog; readonly hostId: string; readonly nowMs: () => number }) {
    this.#log = options.log;
    this.#hostId = options.hostId;
    this.#nowMs = options.nowMs;
  }

  async record(act: Act): Promise<void> {
    const event: AuditEvent = {
      id: randomUUID(),
      kind: act.kind,
      code: act.code,
      timeMs: this.#nowMs(),
      user: cut(act.user ?? ''),
      resource: cut(act.resource ?? ''),
      sessionId: act.sessionId ?? '',
      success: act.success ?? true,
      fieldsJson: Buffer.from(JSON.stringify(act.fields ?? {}, (_key, value) => (typeof value === 'string' ? cut(value) : value))),
    };
    try {
      await this.#log.append([event], { hostId: this.#hostId, kind: 'auth' });
    } catch (error) {
      const why = error instanceof PosternError && error.code === 'unavailable' ? `${error.message}, and ` : '';
      throw new PosternError('unavailable', `audit unavailable: ${why}nothing is done that cannot be recorded`, { cause: error });
    }
  }
}

/** Names and addresses come from whoever asked: a long one shall not fill the log. */
function cut(text: string): string {
  return text.length > MAX_FIELD_LENGTH ? `${text.slice(0, MAX_FIELD_LENGTH)}…` : text;
}
