import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callStream, callUnary } from '#call.ts';
import { type ErrorCode, PosternError } from '#errors.ts';
import { type AuditRecord, AuditService, type QueryEventsRequest } from '#gen/postern/v1/audit.ts';
import { type Identity, Identity_Kind } from '#gen/postern/v1/identity.ts';
import { StatusService } from '#gen/postern/v1/status.ts';
import type { Caller } from '#admit.ts';
import { implement } from '#implement.ts';
import { services } from '#rules.ts';

const HOUR_MS = 3_600_000;
const everything: QueryEventsRequest = {
  fromMs: 0,
  toMs: 0,
  user: '',
  kind: '',
  resource: '',
  limit: 0,
  oldestFirst: false,
  sessionId: '',
};

function person(kind: Identity_Kind, notAfterMs: number): Caller {
  const identity: Identity = {
    kind,
    name: 'alice',
    cluster: 'test',
    roles: [],
    traits: {},
    route: undefined,
    sessionId: '',
    secondFactor: false,
    generation: '1',
  };
  return { kind: 'identified', identity, serial: '01', notAfterMs, address: '127.0.0.1:1' };
}

describe('implement', () => {
  let server: Server;
  let client: Client;
  let caller: () => Caller;
  let nowMs = 0;
  let fail: () => void;
  const unexpected: unknown[] = [];
  const refused: string[] = [];

  beforeEach(async () => {
    nowMs = 1_000_000;
    caller = () => person(Identity_Kind.USER, nowMs + HOUR_MS);
    fail = () => undefined;
    unexpected.length = 0;
    refused.length = 0;
    const options = {
      identify: () => caller(),
      nowMs: () => nowMs,
      onUnexpected: (error: unknown) => unexpected.push(error),
      onRefused: ({ reason }: { reason: string }) => refused.push(reason),
    };
    server = new Server();
    const status = implement(
      services.status,
      {
        async getStatus() {
          fail();
          return { cluster: 'test', version: '1', caPins: [], authorities: [], alarms: [] };
        },
      },
      options,
    );
    const audit = implement(
      services.audit,
      {
        appendEvents: async () => ({ stored: 0, duplicates: 0 }),
        async *queryEvents() {
          for (let n = 0; n < 1000; n += 1) yield { json: Buffer.alloc(1024, n) };
        },
        async *tailEvents(_request, { signal }): AsyncGenerator<AuditRecord> {
          yield { json: Buffer.from('{}') };
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        },
        verifyLog: async () => ({ ok: true, records: 0, segment: '', line: 0, reason: '', head: '' }),
        async *watchVerification() {},
      },
      options,
    );
    for (const { definition, implementation } of [status, audit]) server.addService(definition, implementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(() => {
    client.close();
    server.forceShutdown();
  });

  const ask = () => callUnary(client, StatusService.getStatus, {});
  const codeOf = async (act: Promise<unknown>): Promise<ErrorCode | 'none'> =>
    act.then(
      () => 'none',
      (error: PosternError) => error.code,
    );

  it('answers a caller whose kind the rule names', async () => {
    expect((await ask()).cluster).toBe('test');
  });

  it('refuses a caller whose kind the rule does not name, and reports it', async () => {
    caller = () => person(Identity_Kind.SESSION, nowMs + HOUR_MS);
    expect(await codeOf(ask())).toBe('denied');
    expect(refused).toEqual(['this certificate may not call this method']);
  });

  it('refuses a caller without a certificate', async () => {
    caller = () => ({ kind: 'anonymous', address: '127.0.0.1:1' });
    expect(await codeOf(ask())).toBe('unauthenticated');
  });

  it('refuses a certificate at the very moment it expires', async () => {
    caller = () => person(Identity_Kind.USER, nowMs);
    expect(await codeOf(ask())).toBe('expired');
  });

  it('refuses where the identity cannot be read', async () => {
    caller = () => {
      throw new Error('malformed extension');
    };
    expect(await codeOf(ask())).toBe('unauthenticated');
  });

  it('tells the caller an expected error and hides an unexpected one', async () => {
    fail = () => {
      throw new PosternError('conflict', 'role access has another revision');
    };
    await expect(ask()).rejects.toMatchObject({ code: 'conflict', message: 'role access has another revision' });
    fail = () => {
      throw new Error('password is hunter2');
    };
    await expect(ask()).rejects.toMatchObject({ code: 'internal', message: expect.not.stringContaining('hunter2') });
    expect(unexpected).toHaveLength(1);
  });

  // Three megabytes of a caller's own text came back in a header that no client takes: it heard of a protocol error.
  it('cuts a message that would not fit into the headers of an answer', async () => {
    fail = () => {
      throw new PosternError('denied', `no role allows ${'\u{1F511}'.repeat(1_000_000)}`);
    };
    await expect(ask()).rejects.toMatchObject({ code: 'denied', message: expect.stringMatching(/^no role allows .{1000,5000}…$/u) });
  });

  it('streams every answer in order', async () => {
    let n = 0;
    for await (const { json } of callStream(client, AuditService.queryEvents, everything)) {
      expect(json[0]).toBe(n % 256);
      n += 1;
    }
    expect(n).toBe(1000);
  });

  it('ends a stream when the certificate that opened it expires', async () => {
    caller = () => person(Identity_Kind.USER, nowMs + 100);
    const received: AuditRecord[] = [];
    const tail = (async () => {
      for await (const record of callStream(client, AuditService.tailEvents, everything)) received.push(record);
    })();
    await expect(tail).rejects.toMatchObject({ code: 'expired' });
    expect(received).toHaveLength(1);
  });
});
