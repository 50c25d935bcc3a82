import type { EventEmitter } from 'node:events';
import { PosternError } from '#errors.ts';
import type { Identity } from '#gen/postern/v1/identity.ts';
import type { CallOrigin, Metadata, ServerSurfaceCall, StatusObject } from '#grpc-types.ts';
import type { Rule } from '#rules.ts';
import { statusOf } from '#status.ts';

/** Who calls, as TLS proved it. */
export type Caller =
  | { readonly kind: 'anonymous'; readonly address: string }
  | {
      readonly kind: 'identified';
      readonly identity: Identity;
      readonly serial: string;
      readonly notAfterMs: number;
      readonly address: string;
    };
export type IdentifiedCaller = Extract<Caller, { kind: 'identified' }>;

export interface CallContext {
  readonly caller: Caller;
  /** Aborted when the caller hangs up, and when his certificate expires. */
  readonly signal: AbortSignal;
  readonly metadata: Metadata;
}

export interface AdmitOptions {
  /** Reads the caller's identity from the connection; throws where a certificate was sent and is not one of ours. */
  readonly identify: (call: CallOrigin) => Caller;
  readonly nowMs: () => number;
  /** Called once for each call that is no duplex stream, with 'ok' or the code of its error. */
  readonly onAnswered?: (answer: { readonly method: string; readonly code: PosternError['code'] | 'ok' }) => void;
  /** Called for each refusal by certificate, by rule or by a handler that has not recorded it itself, for the audit log. */
  readonly onRefused?: (refusal: { readonly method: string; readonly caller: Caller | undefined; readonly reason: string }) => void;
}

/** A method, and who may call it. */
export interface Admission {
  readonly method: { readonly path: string; readonly requestStream: boolean };
  readonly rule: Rule;
  readonly options: AdmitOptions;
}

export interface CallGate {
  /** The request is a stream of messages, which lasts as long as it likes. */
  readonly takesStream: boolean;
  /** Why this caller may not call this method; told and counted as every refusal. */
  readonly refusal: (call: CallOrigin) => StatusObject | undefined;
}

export interface Admitted {
  readonly context: Context;
}

/** One for all calls: what Node makes where no reason is given has a stack, and costs more than a small call. */
const CALL_OVER = new PosternError('unavailable', 'the call is over');

/** What costs more than a small call does, and is seldom asked for, is made when it is. */
class Context implements CallContext {
  readonly caller: Caller;
  readonly #call: ServerSurfaceCall;
  #abort: AbortController | undefined;
  #ended = false;

  constructor(caller: Caller, call: ServerSurfaceCall) {
    this.caller = caller;
    this.#call = call;
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#ended) this.#abort.abort(CALL_OVER);
    return this.#abort.signal;
  }

  end(): void {
    this.#ended = true;
    this.#abort?.abort(CALL_OVER);
  }
}

export function gateOf(spec: Admission): CallGate {
  return {
    takesStream: spec.method.requestStream,
    refusal(call) {
      const known = callerOf(call, spec);
      return 'refusal' in known ? known.refusal : undefined;
    },
  };
}

export function admit(call: ServerSurfaceCall, spec: Admission): Admitted | { refusal: StatusObject } {
  const known = callerOf(call, spec);
  if ('refusal' in known) return known;
  const context = new Context(known.caller, call);
  if ('on' in call) (call as EventEmitter).on('cancelled', () => context.end());
  return { context };
}

function callerOf(call: CallOrigin, { method: { path }, rule, options }: Admission): { caller: Caller } | { refusal: StatusObject } {
  const refuse = (code: 'unauthenticated' | 'expired' | 'denied', reason: string, caller?: Caller) => {
    options.onRefused?.({ method: path, caller, reason });
    options.onAnswered?.({ method: path, code });
    return { refusal: statusOf(new PosternError(code, reason)) };
  };
  let caller: Caller;
  try {
    caller = options.identify(call);
  } catch (error) {
    return refuse('unauthenticated', error instanceof PosternError ? error.message : 'the certificate is not one of this cluster');
  }
  if (caller.kind === 'identified' && caller.notAfterMs <= options.nowMs()) {
    return refuse('expired', 'the certificate has expired: sign in again', caller);
  }
  if (!('anyone' in rule)) {
    if (caller.kind === 'anonymous') return refuse('unauthenticated', 'a certificate is needed: sign in with tsh login', caller);
    if (!rule.kinds.includes(caller.identity.kind)) return refuse('denied', 'this certificate may not call this method', caller);
  }
  return { caller };
}
