import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type Admitted, admit, type AdmitOptions, type CallContext, type Caller, type CallGate, gateOf } from '#admit.ts';
import { bounded } from '#bounded-request.ts';
import { type ErrorCode, PosternError } from '#errors.ts';
import type { RawServerCall, StatusObject } from '#grpc-types.ts';
import type { Rule } from '#rules.ts';
import { statusOf } from '#status.ts';

interface AnyMethod {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  rawBytes?: true;
  requestDeserialize: (bytes: Buffer) => unknown;
  responseDeserialize: (bytes: Buffer) => unknown;
}
type Req<M extends AnyMethod> = ReturnType<M['requestDeserialize']>;
type Res<M extends AnyMethod> = ReturnType<M['responseDeserialize']>;

/** A duplex handler owns the stream: it reads, writes, obeys `drain` and ends it. So does one of raw bytes. */
export type Handler<M extends AnyMethod> = M extends { rawBytes: true }
  ? (call: RawServerCall, context: CallContext) => void
  : M['requestStream'] extends true
    ? (stream: ServerDuplexStream<Req<M>, Res<M>>, context: CallContext) => void
    : M['responseStream'] extends true
      ? (request: Req<M>, context: CallContext) => AsyncIterable<Res<M>>
      : (request: Req<M>, context: CallContext) => Promise<Res<M>>;

export type Handlers<S> = { readonly [K in keyof S]: S[K] extends AnyMethod ? Handler<S[K]> : never };

export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** Methods of raw bytes by path. grpc-js does not serve them: @postern/tunnel takes such calls before it. */
  readonly rawCalls?: ReadonlyMap<string, (call: RawServerCall) => void>;
  /** Of the other methods by path: what is known of a call before a byte of its request is read. @postern/tunnel asks it. */
  readonly gates?: ReadonlyMap<string, CallGate>;
}

export interface ImplementOptions extends AdmitOptions {
  /** Called for each error that is not an expected answer, once. */
  readonly onUnexpected: (error: unknown, method: string) => void;
}

/**
 * Joins a service's definition, its rules and its handlers into what grpc-js serves. A method without a rule or
 * a handler does not compile. Every call passes here: identity, expiry, rule, then the handler.
 */
export function implement<S extends object>(
  service: { readonly definition: S; readonly rules: { readonly [K in keyof S]: Rule } },
  handlers: Handlers<S>,
  options: ImplementOptions,
): ServedService {
  const implementation: UntypedServiceImplementation = {};
  const rawCalls = new Map<string, (call: RawServerCall) => void>();
  const gates = new Map<string, CallGate>();
  const definition: Record<string, unknown> = {};
  for (const name of Object.keys(service.definition) as (keyof S & string)[]) {
    const method = service.definition[name] as AnyMethod;
    const rule = service.rules[name];
    const handler = handlers[name];
    const spec = { method, rule, handler, options };
    definition[name] = { ...method, requestDeserialize: bounded(method.requestDeserialize) };
    if (method.rawBytes) rawCalls.set(method.path, (call) => serveRaw(spec, call));
    else {
      implementation[name] = serve(spec);
      gates.set(method.path, gateOf(spec));
    }
  }
  return { definition: definition as unknown as ServiceDefinition, implementation, rawCalls, gates };
}

interface Spec {
  readonly method: AnyMethod;
  readonly rule: Rule;
  readonly handler: unknown;
  readonly options: ImplementOptions;
}
type UnaryCall = ServerUnaryCall<unknown, unknown>;
type WritableCall = ServerWritableStream<unknown, unknown>;
type DuplexCall = ServerDuplexStream<unknown, unknown>;

function serve(spec: Spec): UntypedHandleCall {
  if (spec.method.requestStream) return (stream: DuplexCall) => serveDuplex(spec, stream);
  if (spec.method.responseStream) return (stream: WritableCall) => void serveStream(spec, stream);
  return (call: UnaryCall, answer: sendUnaryData<unknown>) => void serveUnary(spec, call, answer);
}

async function serveUnary(spec: Spec, call: UnaryCall, answer: sendUnaryData<unknown>): Promise<void> {
  const admitted = admit(call, spec);
  if ('refusal' in admitted) return answer(admitted.refusal);
  const handle = spec.handler as (request: unknown, context: CallContext) => Promise<unknown>;
  try {
    const value = await handle(call.request, admitted.context);
    spec.options.onAnswered?.({ method: spec.method.path, code: 'ok' });
    answer(null, value);
  } catch (error) {
    answer(toStatus(error, admitted.context.caller, spec));
  }
}

async function serveStream(spec: Spec, stream: WritableCall): Promise<void> {
  const admitted = admit(stream, spec);
  if ('refusal' in admitted) {
    stream.emit('error', admitted.refusal);
    return;
  }
  endAtExpiry(stream, admitted, spec.options);
  const { signal } = admitted.context;
  const handle = spec.handler as (request: unknown, context: CallContext) => AsyncIterable<unknown>;
  try {
    for await (const answer of handle(stream.request, admitted.context)) {
      if (signal.aborted) break;
      if (!stream.write(answer)) await drained(stream, signal);
    }
    spec.options.onAnswered?.({ method: spec.method.path, code: 'ok' });
    stream.end();
  } catch (error) {
    stream.emit('error', toStatus(error, admitted.context.caller, spec));
  } finally {
    admitted.context.end();
  }
}

function serveDuplex(spec: Spec, stream: DuplexCall): void {
  const admitted = admit(stream, spec);
  if ('refusal' in admitted) {
    stream.emit('error', admitted.refusal);
    return;
  }
  endAtExpiry(stream, admitted, spec.options);
  (spec.handler as (stream: DuplexCall, context: CallContext) => void)(stream, admitted.context);
}

function serveRaw(spec: Spec, call: RawServerCall): void {
  const admitted = admit(call, spec);
  if ('refusal' in admitted) return call.refuse(admitted.refusal);
  const timer = atExpiry(admitted, spec.options, (status) => call.refuse(status));
  call.onClose(() => {
    clearTimeout(timer);
    admitted.context.end();
  });
  try {
    (spec.handler as (call: RawServerCall, context: CallContext) => void)(call, admitted.context);
  } catch (error) {
    call.refuse(toStatus(error, admitted.context.caller, spec));
  }
}

/** Node keeps a socket authorised after its certificate has expired: a stream that lives on ends here. */
function endAtExpiry(stream: WritableCall | DuplexCall, admitted: Admitted, options: ImplementOptions): void {
  const timer = atExpiry(admitted, options, (status) => stream.emit('error', status));
  if (timer === undefined) return;
  const done = () => {
    clearTimeout(timer);
    admitted.context.end();
  };
  stream.once('close', done).once('finish', done).once('error', done);
}

function atExpiry(admitted: Admitted, options: ImplementOptions, end: (status: StatusObject) => void): NodeJS.Timeout | undefined {
  const { caller } = admitted.context;
  if (caller.kind !== 'identified') return undefined;
  const MAX_TIMER_MS = 2 ** 31 - 1;
  const timer = setTimeout(
    () => {
      admitted.context.end();
      end(statusOf(new PosternError('expired', 'the certificate has expired: sign in again')));
    },
    Math.min(Math.max(caller.notAfterMs - options.nowMs(), 0), MAX_TIMER_MS),
  );
  return timer.unref();
}

function drained(stream: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    stream.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

const refusals: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'expired', 'denied', 'locked']);

function toStatus(error: unknown, caller: Caller, { method: { path }, options }: Spec): StatusObject {
  options.onAnswered?.({ method: path, code: error instanceof PosternError ? error.code : 'internal' });
  if (error instanceof PosternError && error.code !== 'internal') {
    if (refusals.has(error.code) && !error.isRecorded) options.onRefused?.({ method: path, caller, reason: error.message });
    return statusOf(error);
  }
  options.onUnexpected(error, path);
  return statusOf(new PosternError('internal', 'internal error: the server log has the cause'));
}
