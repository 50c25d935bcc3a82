import { createSecureServer, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { AnswerHead } from '#grammar/parse-head.ts';
import { selfSigned } from '#testing/certificate.ts';
import type { Flight, UpstreamFailure, UpstreamRequest } from '#upstream/flight.ts';
import { Http2Origin } from '#upstream/http2-origin.ts';
import { type Http2ShareLimits, Http2Shares } from '#upstream/http2-shares.ts';
import type { OriginLimits, OriginOptions } from '#upstream/origin-options.ts';

let made: ReturnType<typeof selfSigned> | undefined;
/** The certificate of every server here. */
export const tls = () => (made ??= selfSigned('DNS:localhost'));

/** What ends with a test: call each in `afterEach`. */
export const undo: (() => void)[] = [];
const LIMITS: OriginLimits = {
  connections: 8,
  connectMs: 10_000,
  headersMs: 10_000,
  idleMs: 10_000,
  keepAliveMs: 10_000,
  head: { maxBytes: 65_536, maxLines: 256 },
};

/** On a machine that does other things besides. */
export const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });
export interface Far {
  readonly port: number;
  readonly sessions: readonly ServerHttp2Session[];
}

export async function far(
  serve: (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void,
  settings = {},
): Promise<Far> {
  const server: Http2SecureServer = createSecureServer({ ...tls(), settings });
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    serve(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sessions };
}

const SHARES: Http2ShareLimits = {
  connectionsPerOwner: 8,
  connections: 32,
  resetsPerConnection: 100,
  resetsPerOwner: { atOnce: 100, perSecond: 10 },
};
export const sharesOf = (limits: Partial<Http2ShareLimits> = {}, nowMs = () => 0) => new Http2Shares({ ...SHARES, ...limits }, nowMs);

export function originTo(
  port: number,
  limits: Partial<OriginLimits> = {},
  { shares = sharesOf(), ...options }: Partial<OriginOptions> & { readonly shares?: Http2Shares } = {},
): Http2Origin {
  const all = { host: 'localhost', port, isTls: true, isGuarded: false, ca: tls().cert, ...options, limits: { ...LIMITS, ...limits } };
  const origin = new Http2Origin(all, shares);
  undo.push(() => origin.destroy());
  return origin;
}

type Result = { readonly head: AnswerHead; readonly text: string; readonly bytes: number } | UpstreamFailure;

export function send(
  origin: Http2Origin,
  wish: Partial<UpstreamRequest> & {
    readonly owner?: string;
    readonly onDrain?: () => void;
    readonly onData?: (flight: () => Flight) => void;
  } = {},
): { readonly flight: Flight; readonly result: Promise<Result> } {
  const { owner = 'alice', onDrain, onData, ...request } = wish;
  const result = Promise.withResolvers<Result>();
  let head: AnswerHead | undefined;
  let text = '';
  const flight: Flight = origin.for(owner).send(
    { method: 'POST', target: '/x?y', fields: ['Host', 'aws.example', 'X-A', '1'], body: Buffer.from('{}'), ...request },
    {
      wantsData: true,
      onHead: (given) => (head = given),
      onWire: () => expect.unreachable('HTTP/2 has no wire to pass on'),
      onData: (piece) => {
        text += piece.toString();
        onData?.(() => flight);
      },
      ...(onDrain === undefined ? {} : { onDrain }),
      onEnd: (bytes) => (head === undefined ? result.reject(new Error('no head')) : result.resolve({ head, text, bytes })),
      onFailed: (failure) => result.resolve(failure),
    },
  );
  return { flight, result: result.promise };
}
