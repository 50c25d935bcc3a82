import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import { bedrockService } from '#bedrock/bedrock-service.ts';
import { cloudWatchService } from '#cloudwatch/cloudwatch-service.ts';
import { CredentialBook } from '#credential-book.ts';
import { dynamoDbService } from '#dynamodb/dynamodb-service.ts';
import { DynamoDbRegions } from '#dynamodb/regions.ts';
import { ec2Service } from '#ec2/ec2-service.ts';
import { Exchange, type ExchangeParts } from '#exchange/exchange.ts';
import { RawLog } from '#exchange/raw-log.ts';
import { hostOf, readHead } from '#exchange/request-head.ts';
import { routeRequest } from '#exchange/route-request.ts';
import type { Service } from '#exchange/service.ts';
import { Federation } from '#federation/federation-service.ts';
import { type ServiceId, awsHost } from '#hosts/aws-host.ts';
import { iamService } from '#iam/iam-service.ts';
import { kinesisVideoService } from '#kinesisvideo/kinesis-video-service.ts';
import { lambdaService } from '#lambda/lambda-service.ts';
import { logsService } from '#logs/logs-service.ts';
import { Modes } from '#modes.ts';
import type { EmulatedRole, EmulatorOptions, SeedObject, SeedTable } from '#options.ts';
import { otherService } from '#other/other-service.ts';
import { route53Service } from '#route53/route53-service.ts';
import { putStored } from '#s3/buckets.ts';
import { generatedContent, memoryContent } from '#s3/content.ts';
import { S3 } from '#s3/s3-service.ts';
import { echoWebSocket } from '#ssmmessages/web-socket.ts';
import { maxSessionSeconds } from '#sts/role-session.ts';
import { stsService } from '#sts/sts-service.ts';
import { timestreamService } from '#timestream/timestream-service.ts';

const emptyBody = { bodySha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', bodyBytes: 0, wireBytes: 0 };

/** Joins the services of one emulator; each knows nothing of the others. */
export class Emulation {
  readonly log: RawLog;
  readonly modes: Modes;
  readonly #nowMs: () => number;
  readonly #regions: DynamoDbRegions;
  readonly #s3 = new S3();
  readonly #parts: ExchangeParts;
  readonly #upgraded = new Set<Duplex>();

  constructor(options: EmulatorOptions) {
    const { accountId, accessKeys, nowMs = Date.now } = options;
    this.log = new RawLog(options.rawLog);
    this.modes = new Modes(options.modes);
    this.#nowMs = nowMs;
    this.#regions = new DynamoDbRegions({ accountId, nowMs });
    const book = new CredentialBook(accessKeys, accountId);
    const services = servicesOf({ options, book, regions: this.#regions, s3: this.#s3.service });
    this.#parts = {
      log: this.log,
      modes: this.modes,
      nowMs,
      find: (id) => book.find(id),
      route: (head) => {
        const host = routeRequest(head, options.hosts ?? 'aws');
        return { host, service: services[host.service] };
      },
    };
  }

  async handle(message: IncomingMessage, response: ServerResponse, expects: { readonly continue: boolean }): Promise<void> {
    try {
      await new Exchange(this.#parts, message, response).run(expects);
    } catch (error) {
      // The client went away, or a fault of the emulator itself: either way there is nobody to answer properly.
      if (!message.destroyed && !response.headersSent) response.writeHead(500).end(String(error));
      else response.destroy();
    }
  }

  /** WebSockets are for Session Manager's hosts alone; what they carry has no signature, and is logged as that. */
  upgrade(message: IncomingMessage, socket: Duplex): void {
    const head = readHead(message);
    const host = hostOf(head);
    const known = awsHost(host)?.service === 'ssmmessages';
    this.log.add({
      time: new Date(this.#nowMs()).toISOString(),
      requestId: '-',
      method: head.method,
      host,
      path: head.target,
      headers: head.headers,
      ...emptyBody,
      service: 'ssmmessages',
      operation: 'OpenChannel',
      verified: false,
      ...(known ? {} : { refusal: 'UnknownOperationException' }),
    });
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    if (known) echoWebSocket(message, socket);
    else socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  }

  async call(region: string, operation: string, input: unknown): Promise<unknown> {
    const answer = await this.#regions.get(region).call(operation, Buffer.from(JSON.stringify(input)));
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

  seedObject(region: string, { bucket: name, key, body, generatedBytes }: SeedObject): void {
    const nowMs = this.#nowMs();
    const bucket = this.#s3.buckets.ensure(name, region, nowMs);
    if (key === undefined) return;
    const content = generatedBytes === undefined ? memoryContent(Buffer.from(body ?? '')) : generatedContent(generatedBytes);
    const etag = Buffer.from(`${key}:${content.size}`).toString('hex').padEnd(32, '0').slice(0, 32);
    putStored(bucket, { key, content, etag, modifiedMs: nowMs, headers: { 'content-type': 'binary/octet-stream' }, checksums: {} });
  }

  /** The server does not count them among its own. */
  closeUpgraded(): void {
    for (const socket of this.#upgraded) socket.destroy();
  }

  async close(): Promise<void> {
    this.log.close();
    await this.#s3.close();
  }
}

interface ServiceParts {
  readonly options: EmulatorOptions;
  readonly book: CredentialBook;
  readonly regions: DynamoDbRegions;
  readonly s3: Service;
}

function servicesOf({ options, book, regions, s3 }: ServiceParts): Readonly<Record<ServiceId, Service>> {
  const { accountId } = options;
  const roles = new Map(
    (options.roles ?? []).map((role): readonly [string, EmulatedRole] => [
      role.arn ?? `arn:aws:iam::${accountId}:role/${role.name ?? ''}`,
      role,
    ]),
  );
  const federation = new Federation({ book, maxSessionSeconds: (roleArn) => maxSessionSeconds(roles.get(roleArn)) });
  return {
    sts: stsService({ roles, book, accountId }),
    dynamodb: dynamoDbService('dynamodb', regions),
    'dynamodb-streams': dynamoDbService('dynamodb-streams', regions),
    s3,
    signin: federation.signin,
    console: federation.console,
    lambda: lambdaService,
    iam: iamService({ accountId, accessKeys: options.accessKeys, book }),
    'bedrock-runtime': bedrockService,
    ec2: ec2Service,
    cloudwatch: cloudWatchService(),
    route53: route53Service,
    timestream: timestreamService,
    kinesisvideo: kinesisVideoService,
    logs: logsService,
    ssmmessages: otherService,
    other: otherService,
  };
}
