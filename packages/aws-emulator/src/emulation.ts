import type { IncomingMessage, ServerResponse } from 'node:http';

import { CredentialBook } from '#credential-book.ts';
import { dynamoDbService } from '#dynamodb/dynamodb-service.ts';
import { DynamoDbRegions } from '#dynamodb/regions.ts';
import { Exchange, type ExchangeParts } from '#exchange/exchange.ts';
import { RawLog } from '#exchange/raw-log.ts';
import { routeRequest } from '#exchange/route-request.ts';
import type { Service } from '#exchange/service.ts';
import { Federation } from '#federation/federation-service.ts';
import type { ServiceId } from '#hosts/aws-host.ts';
import { Modes } from '#modes.ts';
import type { EmulatedRole, EmulatorOptions, SeedObject, SeedTable } from '#options.ts';
import { otherService } from '#other/other-service.ts';
import { putStored } from '#s3/buckets.ts';
import { generatedContent, memoryContent } from '#s3/content.ts';
import { S3 } from '#s3/s3-service.ts';
import { maxSessionSeconds } from '#sts/role-session.ts';
import { stsService } from '#sts/sts-service.ts';

/** Joins the services of one emulator; each knows nothing of the others. */
export class Emulation {
  readonly log: RawLog;
  readonly modes: Modes;
  readonly #nowMs: () => number;
  readonly #regions: DynamoDbRegions;
  readonly #s3 = new S3();
  readonly #parts: ExchangeParts;

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
    lambda: otherService,
    iam: otherService,
    'bedrock-runtime': otherService,
    ec2: otherService,
    cloudwatch: otherService,
    route53: otherService,
    ssmmessages: otherService,
    other: otherService,
  };
}
