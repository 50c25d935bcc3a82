import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

import { type Answer, AwsError, jsonError, stsError } from '#aws-error.ts';
import { CredentialBook, type KnownCredentials } from '#credential-book.ts';
import { DynamoDbRegion } from '#dynamodb/region.ts';
import { Modes } from '#modes.ts';
import type { EmulatedRole, EmulatorOptions, Mode, RawLogEntry } from '#options.ts';
import { RawLog } from '#raw-log.ts';
import { type Received, header, receive } from '#received.ts';
import { type Routed, routeRequest } from '#route-request.ts';
import { sendAnswer } from '#send-answer.ts';
import { verify } from '#sigv4/verify.ts';
import { answerSts } from '#sts/answer-sts.ts';
import { queryParameters } from '#sts/parameters.ts';

export interface Emulator {
  /** http://127.0.0.1:PORT, to be set as AWS_ENDPOINT_URL of an agent. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
  /** The last 10,000 requests, oldest first. */
  log(): readonly RawLogEntry[];
  /** A fault for one operation or for all ("*"); undefined takes it away. */
  setMode(operation: string, mode: Mode | undefined): void;
  /** Does a DynamoDB operation without a signature, to put items there beforehand. */
  call(region: string, operation: string, input: unknown): Promise<unknown>;
  /** Makes a table with the hash key `id` (text), and puts items, in DynamoDB's JSON, into it. */
  seedTable(region: string, table: SeedTable): Promise<void>;
}

export interface SeedTable {
  readonly name: string;
  readonly hashKey?: string;
  readonly items?: readonly Readonly<Record<string, unknown>>[];
  readonly streamViewType?: 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';
}

const maxRegions = 64;

/** Starts STS and DynamoDB for development and tests. It is never part of a production path. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const emulation = new Emulation(options);
  const handle = (request: IncomingMessage, response: ServerResponse): void => void emulation.handle(request, response);
  const { key, cert } = options;
  const server = key === undefined || cert === undefined ? createServer(handle) : createSecureServer({ key, cert }, handle);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `${key === undefined ? 'http' : 'https'}://${options.host ?? '127.0.0.1'}:${port}`,
    port,
    log: () => emulation.log.entries(),
    setMode: (operation, mode) => emulation.modes.set(operation, mode),
    call: (region, operation, input) => emulation.call(region, operation, input),
    seedTable: (region, table) => emulation.seedTable(region, table),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          emulation.log.close();
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

class Emulation {
  readonly log: RawLog;
  readonly modes: Modes;
  readonly #options: EmulatorOptions;
  readonly #nowMs: () => number;
  readonly #book: CredentialBook;
  readonly #roles: ReadonlyMap<string, EmulatedRole>;
  readonly #regions = new Map<string, DynamoDbRegion>();

  constructor(options: EmulatorOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.log = new RawLog(options.rawLog);
    this.modes = new Modes(options.modes);
    this.#book = new CredentialBook(options.accessKeys, options.accountId);
    this.#roles = new Map(
      (options.roles ?? []).map((role) => [role.arn ?? `arn:aws:iam::${options.accountId}:role/${role.name ?? ''}`, role]),
    );
  }

  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomBytes(39).toString('base64').toUpperCase().replaceAll(/[+/]/gu, '0');
    try {
      const request = await receive(message);
      if (request === undefined) {
        response.writeHead(413, { connection: 'close' }).end();
        return;
      }
      const { answer, mode, withCrc } = await this.#answer(request, requestId);
      const acceptsGzip = /\bgzip\b/u.test(header(request, 'accept-encoding') ?? '');
      await sendAnswer(response, answer, { requestId, acceptsGzip, withCrc, mode, nowMs: this.#nowMs() });
    } catch (error) {
      // The client went away, or a fault of the emulator itself: either way there is nobody to answer properly.
      if (!message.destroyed && !response.headersSent) response.writeHead(500).end(String(error));
      else response.destroy();
    }
  }

  async #answer(
    request: Received,
    requestId: string,
  ): Promise<{ readonly answer: Answer; readonly mode: Mode | undefined; readonly withCrc: boolean }> {
    let routed: Routed | undefined;
    let mode: Mode | undefined;
    const seen: Partial<Mutable<RawLogEntry>> = {};
    let logged = false;
    const record = (more: Partial<RawLogEntry>): void => {
      logged = true;
      this.log.add({ ...this.#entry(request, requestId), ...seen, ...more } as RawLogEntry);
    };
    try {
      routed = routeRequest(request, this.#options.hosts ?? 'aws');
      seen.operation = routed.operation;
      const { caller, region } = this.#verify(request, routed);
      Object.assign(seen, { service: routed.service, region, identity: caller.identity });
      mode = this.modes.take(routed.operation);
      const parameters = routed.service === 'sts' ? queryParameters(request) : undefined;
      record({
        verified: true,
        ...(parameters === undefined ? {} : { parameters: Object.fromEntries(parameters) }),
        ...(mode === undefined ? {} : { mode }),
      });
      const fault = faultOf(mode);
      if (fault instanceof AwsError) throw fault;
      if (fault !== undefined) return { answer: fault, mode, withCrc: false };
      const creds = mode?.creds;
      const answer =
        parameters === undefined
          ? await this.#dynamodb(request, routed, region)
          : answerSts(
              parameters,
              { caller, roles: this.#roles, book: this.#book, nowMs: this.#nowMs(), ...(creds === undefined ? {} : { creds }) },
              requestId,
            );
      return { answer, mode, withCrc: parameters === undefined };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      if (!logged) record({ verified: false, refusal: error.code });
      const sts = routed === undefined ? header(request, 'x-amz-target') === undefined : routed.service === 'sts';
      return { answer: sts ? stsError(error, requestId) : jsonError(error, requestId), mode, withCrc: !sts };
    }
  }

  #verify(request: Received, routed: Routed): { readonly caller: KnownCredentials; readonly region: string } {
    const service = routed.service === 'sts' ? 'sts' : 'dynamodb';
    const expected = { service, ...(routed.region === undefined ? {} : { region: routed.region }) };
    const { authorization, secret } = verify(request, { find: (id) => this.#book.find(id), expected, nowMs: this.#nowMs() });
    return { caller: secret, region: authorization.region };
  }

  async #dynamodb(request: Received, routed: Routed, region: string): Promise<Answer> {
    const type = (header(request, 'content-type') ?? '').split(';')[0]?.trim();
    if (request.method !== 'POST' || request.target !== '/' || type !== 'application/x-amz-json-1.0')
      throw new AwsError('UnknownOperationException', '');
    if (header(request, 'content-encoding') !== undefined) throw new AwsError('SerializationException', '');
    const tables = this.#region(region);
    return routed.service === 'dynamodb-streams'
      ? tables.callStreams(routed.operation, request.body)
      : tables.call(routed.operation, request.body);
  }

  #region(region: string): DynamoDbRegion {
    const known = this.#regions.get(region);
    if (known !== undefined) return known;
    if (this.#regions.size >= maxRegions) throw new AwsError('InternalServerError', 'too many regions', 500);
    const made = new DynamoDbRegion({ region, accountId: this.#options.accountId, nowMs: this.#nowMs });
    this.#regions.set(region, made);
    return made;
  }

  async call(region: string, operation: string, input: unknown): Promise<unknown> {
    const answer = await this.#region(region).call(operation, Buffer.from(JSON.stringify(input)));
    if (answer.status !== 200) throw new Error(`${operation} in ${region}: ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString());
  }

  async seedTable(region: string, { name, hashKey = 'id', items = [], streamViewType }: SeedTable): Promise<void> {
    await this.call(region, 'CreateTable', {
      TableName: name,
      AttributeDefinitions: [{ AttributeName: hashKey, AttributeType: 'S' }],
      KeySchema: [{ AttributeName: hashKey, KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      ...(streamViewType === undefined ? {} : { StreamSpecification: { StreamEnabled: true, StreamViewType: streamViewType } }),
    });
    // A table is CREATING for a turn of the event loop, as it is for some seconds in AWS.
    while (
      ((await this.call(region, 'DescribeTable', { TableName: name })) as { readonly Table: { readonly TableStatus: string } }).Table
        .TableStatus !== 'ACTIVE'
    ) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const Item of items) await this.call(region, 'PutItem', { TableName: name, Item });
  }

  #entry(request: Received, requestId: string): Omit<RawLogEntry, 'verified'> {
    const { method, target: path, headers, body, bodySha256 } = request;
    return {
      time: new Date(this.#nowMs()).toISOString(),
      requestId,
      method,
      host: header(request, 'host') ?? '',
      path,
      headers,
      bodySha256,
      bodyBytes: body.length,
    };
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function faultOf(mode: Mode | undefined): AwsError | Answer | undefined {
  if (mode?.redirectTo !== undefined) return { status: 307, headers: { location: mode.redirectTo }, body: Buffer.alloc(0) };
  if (mode?.status === undefined) return undefined;
  const code =
    mode.code ?? (mode.status === 503 ? 'ServiceUnavailable' : mode.status >= 500 ? 'InternalServerError' : 'ThrottlingException');
  return new AwsError(code, `answered with ${mode.status} because the emulator was told to`, mode.status);
}
