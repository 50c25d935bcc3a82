import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  type AgentService,
  type ConnectFacts,
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
import { awsCredentialOperations, compileSubject, decide, type Role } from '@postern/rbac';
import { createMetrics, createLogger } from '@postern/telemetry';
import { type AppServiceOptions, createAppService } from '#app-service.ts';
import type { StaticApp } from '#config.ts';

export const ACCOUNT = '111122223333';
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/Reader`;
export const LOCAL_KEY = { accessKeyId: 'AKIALOCAL2345LOCAL67', secretAccessKey: 'local-secret-of-this-port' };
export const aws: StaticApp = { name: 'aws', uri: 'https://console.aws.amazon.com/console/home', labels: { env: 'dev' }, aws: {} };

/** Everything of an application agent but the tunnel: a local port stands for tsh, and the emulator for AWS. */
export interface LocalAgent {
  readonly url: string;
  readonly port: number;
  readonly emulator: Emulator;
  readonly service: AgentService;
  readonly spool: Spool;
  /** What the rules say, as they are set. */
  readonly standing: Standing;
  /** All that was written to the agent's log. */
  logged(): string;
  /** Every event that was given to the spool, in order. */
  readonly events: readonly RecordedEvent[];
  /** Whom the next connections belong to. */
  setSession(session: LiveSession): void;
  setRoles(roles: readonly Role[]): void;
  /** Replaces check and rules. */
  setStanding(standing: Standing | undefined): void;
  /** What tsh says of the next connections, besides the port and the key. */
  setFacts(facts: Partial<ConnectFacts>): void;
  readonly bodiesDir: string;
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
  readonly apps?: readonly StaticApp[];
  /** The application comes from the cluster, and this role is assumed on the way to each. */
  readonly assumeRoleArn?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly upstream?: AppServiceOptions['upstream'];
  readonly room?: AppServiceOptions['room'];
  readonly spool?: (real: Spool) => Spool;
  /** A certificate of localhost: the emulator has a TLS port, and Bedrock is reached there. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export const allowReader: Role = {
  name: 'dev',
  version: 'v7',
  allow: { appLabels: { env: ['dev'] }, awsRoleArns: [ROLE] },
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
  const route = { resourceKind: 'app', resourceName: wish.resourceName ?? 'aws', principal: wish.principal ?? ROLE };
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
  const dir = mkdtempSync(join(tmpdir(), 'postern-app-agent-'));
  const { tls } = options;
  const emulator = await startEmulator({
    ...(tls === undefined ? {} : { alsoTls: tls }),
    accountId: ACCOUNT,
    accessKeys: [{ id: 'AKIDAGENT', secret: 'agent-secret' }],
    roles: [{ name: 'Reader', trusts: { tags: true, sourceIdentity: true }, maxSessionDurationSeconds: 43_200 }, { name: 'Plain' }],
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
    awsCredentialOperations: () => override?.awsCredentialOperations() ?? awsCredentialOperations(roles),
    authorize: (asked) => {
      if (override) return override.authorize(asked);
      const decision = decide(compileSubject({ user: 'alice', roles, traits: {} }), asked);
      return decision.allowed
        ? { allowed: true, decision }
        : { allowed: false, cause: 'rule', reason: decision.reason, ...(decision.role === undefined ? {} : { role: decision.role }) };
    },
  };
  let log = '';
  const logger = createLogger({
    service: 'test',
    level: 'debug',
    format: 'json',
    destination: new Writable({
      write(line: Buffer, _encoding, done) {
        log += line.toString();
        done();
      },
    }),
  });
  const labels = options.labels ?? { env: 'dev' };
  const bodiesDir = join(dir, 'bodies');
  const service = createAppService({
    metrics: createMetrics(),
    parts: { hostId: 'agent-1', cluster: 'test', spool, labelsOf: () => labels, resourcesChanged: () => undefined },
    config: configOf(options),
    bodiesDir,
    region: 'us-east-1',
    env: {
      AWS_ACCESS_KEY_ID: 'AKIDAGENT',
      AWS_SECRET_ACCESS_KEY: 'agent-secret',
      AWS_ENDPOINT_URL: emulator.url,
      ...(tls === undefined ? {} : { AWS_ENDPOINT_URL_BEDROCK: `https://localhost:${emulator.tlsPort}` }),
      ...options.env,
    },
    logger,
    nowMs: Date.now,
    upstream: { ...(tls === undefined ? {} : { ca: tls.cert }), ...options.upstream },
    ...(options.room === undefined ? {} : { room: options.room }),
  });
  if (options.assumeRoleArn !== undefined)
    service.putResource('aws', { kind: 'app', version: 'v3', metadata: { name: 'aws', labels: aws.labels }, spec: { uri: aws.uri } });
  let session = sessionOf({ standing });
  let facts: Partial<ConnectFacts> = {};
  const sockets = new Set<Socket>();
  const listener: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    session.addStream(socket);
    service.onConnection({ ...nothingSaid, localPort: port, localKey: LOCAL_KEY, ...facts, session, stream: socket });
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
    logged: () => log,
    events,
    sockets,
    setSession: (next) => (session = next),
    setRoles: (next) => (roles = next),
    setStanding: (next) => (override = next),
    setFacts: (next) => (facts = next),
    bodiesDir,
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

function configOf({ apps = [aws], assumeRoleArn }: LocalAgentOptions): AppServiceOptions['config'] {
  if (assumeRoleArn === undefined) return { apps, resources: [] };
  return { apps: [], resources: [{ labels: { '*': ['*'] }, aws: { assumeRoleArn } }] };
}
