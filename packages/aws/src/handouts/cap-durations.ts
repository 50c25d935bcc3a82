import { capInForm } from '#handouts/cap-in-form.ts';
import { capInJson } from '#handouts/cap-in-json.ts';
import type { CredentialOperation } from '#handouts/credential-operation.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type CapInput = {
  readonly operation: CredentialOperation;
  /** raw, without the question mark */
  readonly query: string;
  /** whole; empty where the operation's duration does not stand in it (see capsBody) */
  readonly body: Buffer;
  /** of the user's certificate */
  readonly remainingSeconds: number;
};

/** What goes to AWS in place of what came: the duration written plainly, once, so that AWS cannot read another. */
export type CappedRequest = {
  readonly query: string;
  readonly body: Buffer;
  /** so long the keys live at most */
  readonly lifeSeconds: number;
};

/** AWS gives out keys for fifteen minutes at least. */
const shortestSeconds = 900;

/** Whether capDurations has to see the body. */
export function capsBody({ life }: CredentialOperation): boolean {
  return life.kind === 'duration' && life.place !== 'query';
}

/** `cap` of a role's aws_credential_operations: what is handed out dies with the user's certificate, or is not handed out. */
export function capDurations({ operation, query, body, remainingSeconds }: CapInput): CappedRequest | Refusal {
  const { life } = operation;
  const name = `${operation.service}:${operation.operation}`;
  const left = spanOf(remainingSeconds);
  if (life.kind === 'lasting') {
    return { refusal: `${name} hands out a key that lasts until it is deleted, and your session ends in ${left}` };
  }
  if (life.kind === 'withheld') return { refusal: `${name} hands out ${life.why}` };
  if (life.kind === 'fixed') {
    if (life.seconds <= remainingSeconds) return { query, body, lifeSeconds: life.seconds };
    return { refusal: `${name} hands out keys for up to ${spanOf(life.seconds)}, and your session ends in ${left}` };
  }
  if (remainingSeconds < shortestSeconds) {
    return {
      refusal: `${name} hands out keys for ${spanOf(shortestSeconds)} at least, and your session ends in ${left}: sign in again with tsh login`,
    };
  }
  const { member, defaultSeconds } = life;
  const most = Math.floor(remainingSeconds);
  const wanted = { member, most, otherwise: Math.min(most, defaultSeconds) };
  const capped =
    life.place === 'json' ? capInJson(wanted, { query, body }) : capInForm(wanted, { query, body, readsBody: life.place === 'form' });
  if ('refusal' in capped) return { refusal: `${name}: ${capped.refusal}` };
  return { query: capped.query, body: capped.body, lifeSeconds: capped.duration };
}

/** `7 h 5 min`, `14 min`, `40 s`. */
export function spanOf(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return whole % 60 === 0 || minutes >= 60 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
