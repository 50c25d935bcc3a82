import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Agent, request as httpRequest } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  type AgentService,
  fieldsText,
  LiveSession,
  nothingSaid,
  openSpool,
  type Spool,
  type SpoolEvent,
  type Standing,
} from '@postern/agent';
import { Identity, Identity_Kind } from '@postern/api';
// oxlint-disable-next-line no-restricted-imports -- the rule keeps AWS's stand-in out of what runs; here it judges what was sent
import { type Emulator, startEmulator } from '@postern/aws-emulator';
import { compileSubject, decide, type Role } from '@postern/rbac';
import { createMetrics, createLogger } from '@postern/telemetry';
import type { StaticDatabase } from '#config.ts';
import { createDbService, type DbServiceOptions } from '#db-service.ts';

export const ACCOUNT = '111122223333';
export const orders: StaticDatabase = {
  name: 'orders',
  protocol: 'dynamodb',
  staticLabels: { env: 'dev' },
  aws: { region: 'us-east-1', accountId: ACCOUNT, sessionTags: { team: 'shop' } },
};

/** Everything of a database agent but the tunnel: a local port stands for tsh, and the emulator for AWS. */
export interface LocalAgent {
  readonly url: string;
  readonly port: number;
  readonly emulator: Emulator;
  readonly service: AgentService;
  readonly spool: Spool;
  /** What the rules say, as they are set. */
  readonly standing: Standing;
  /** Every event that was given to the spool, in order. */
  readonly events: readonly RecordedEvent[];
  /** Whom the next connections belong to. */
  setSession(session: LiveSession): void;
  setRoles(roles: readonly Role[]): void;
  /** Replaces check and rules. */
  setStanding(standing: Standing | undefined): void;
  setLocalPort(port: number | undefined): void;
  readonly sockets: ReadonlySet<Socket>;
  stop(): Promise<void>;
}
export interface RecordedEvent extends Pick<SpoolEvent, 'id' | 'code' | 'timeMs' | 'success'> {
  readonly kind: string;
  readonly user: string;
  readonly resource: string;
  readonly sessionId: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface LocalAgentOptions {
  readonly spool?: (real: Spool) => Spool;
  readonly databases?: readonly StaticDatabase[];
  readonly env?: Readonly<Record<string, string>>;
  readonly upstream?: DbServiceOptions['upstream'];
  readonly tls?: { readonly key: string; readonly cert: string };
}

export const allowReader: Role = {
  name: 'dev',
  version: 'v7',
  allow: { dbLabels: { env: ['dev'] }, dbUsers: ['Reader'] },
  deny: {},
  options: {},
};

export function sessionOf(wish: {
  readonly user?: string;
  readonly standing: Standing;
  readonly resourceName?: string;
  readonly principal?: string;
  readonly notAfterMs?: number;
}): LiveSession {
  const route = { resourceKind: 'db', resourceName: wish.resourceName ?? 'orders', principal: wish.principal ?? 'Reader' };
  const identity = Identity.fromPartial({
    kind: Identity_Kind.SESSION,
    name: wish.user ?? 'alice',
    cluster: 'test',
    roles: ['dev'],
    route,
    sessionId: 'session-1',
  });
  return new LiveSession({
    identity,
    route,
    serial: randomBytes(8).toString('hex'),
    notAfterMs: wish.notAfterMs ?? Date.now() + 3_600_000,
    clientAddress: '198.51.100.7:5000',
    standing: wish.standing,
  });
}

export async function startLocalAgent(options: LocalAgentOptions = {}): Promise<LocalAgent> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-db-agent-'));
  const emulator = await startEmulator({
    accountId: ACCOUNT,
    accessKeys: [{ id: 'AKIDAGENT', secret: 'agent-secret' }],
    roles: [{ name: 'Reader', trusts: { tags: true, sourceIdentity: true } }, { name: 'Plain' }],
    ...options.tls,
  });
  const events: RecordedEvent[] = [];
  const real = await openSpool({ dir: join(dir, 'spool'), nowMs: Date.now });
  const watched = options.spool?.(real) ?? real;
  const note = (event: SpoolEvent) => {
    const { id, code, timeMs, success } = event;
    const { kind, user, resource, sessionId } = event.head;
    const fields = JSON.parse(fieldsText(event)) as Record<string, unknown>;
    events.push({ id, code, timeMs, success, kind, user, resource, sessionId, fields });
  };
  const spool: Spool = {
    ...watched,
    write: (event, done) =>
      watched.write(event, (error) => {
        if (error === undefined) note(event);
        done(error);
      }),
    writeLater: (event) => {
      note(event);
      watched.writeLater(event);
    },
  };
  let roles: readonly Role[] = [allowReader];
  let override: Standing | undefined;
  const standing: Standing = {
    check: () => override?.check(),
    awsCredentialOperations: () => 'cap',
    authorize: (asked) => {
      if (override) return override.authorize(asked);
      const decision = decide(compileSubject({ user: 'alice', roles, traits: {} }), asked);
      return decision.allowed
        ? { allowed: true, decision }
        : { allowed: false, cause: 'rule', reason: decision.reason, ...(decision.role === undefined ? {} : { role: decision.role }) };
    },
  };
  const logger = createLogger({
    service: 'test',
    level: 'error',
    format: 'json',
    destination: new Writable({ write: (_line, _encoding, done) => done() }),
  });
  const labels = { env: 'dev' };
  const service = createDbService({
    metrics: createMetrics(),
    parts: { hostId: 'agent-1', cluster: 'test', spool, labelsOf: () => labels, resourcesChanged: () => undefined },
    config: { databases: options.databases ?? [orders], resources: [] },
    env: { AWS_ACCESS_KEY_ID: 'AKIDAGENT', AWS_SECRET_ACCESS_KEY: 'agent-secret', AWS_ENDPOINT_URL: emulator.url, ...options.env },
    logger,
    nowMs: Date.now,
    ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
  });
  let session = sessionOf({ standing });
  let localPort: { readonly is: number | undefined } | undefined;
  const sockets = new Set<Socket>();
  const listener: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    session.addStream(socket);
    service.onConnection({ ...nothingSaid, session, stream: socket, localPort: localPort === undefined ? port : localPort.is });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    emulator,
    service,
    spool: real,
    standing,
    events,
    sockets,
    setSession: (next) => (session = next),
    setRoles: (next) => (roles = next),
    setStanding: (next) => (override = next),
    setLocalPort: (next) => (localPort = { is: next }),
    async stop() {
      listener.close();
      for (const socket of sockets) socket.destroy();
      await service.stop();
      await emulator.close();
      await real.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly json: { readonly __type?: string; readonly message?: string } & Record<string, unknown>;
}

/** A request as an SDK sends it, with node:http; `headers` replaces or adds. */
export function call(
  agent: Pick<LocalAgent, 'port'>,
  operation: string,
  body: unknown = {},
  options: {
    readonly headers?: Readonly<Record<string, string | string[]>>;
    readonly signal?: AbortSignal;
    readonly path?: string;
    readonly method?: string;
    readonly agent?: Agent;
  } = {},
): Promise<Answer> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': operation.includes('.') ? operation : `DynamoDB_20120810.${operation}`,
      'content-length': String(bytes.length),
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIDCLIENT/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=00',
      ...options.headers,
    };
    const request = httpRequest(
      {
        agent: options.agent ?? false,
        host: '127.0.0.1',
        port: agent.port,
        method: options.method ?? 'POST',
        path: options.path ?? '/',
        headers,
        ...(options.signal ? { signal: options.signal } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const all = Buffer.concat(chunks);
          let json: Answer['json'] = {};
          try {
            json = JSON.parse(all.toString()) as Answer['json'];
          } catch {
            // Not every answer is JSON; the test looks at the bytes then.
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, rawHeaders: response.rawHeaders, body: all, json });
        });
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}
