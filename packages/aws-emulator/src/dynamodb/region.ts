import { AwsError, type HeldAnswer } from '#protocols/aws-error.ts';
import { partitionOf } from '#hosts/partitions.ts';
import { type Table, openDynalite } from '#dynamodb/dynalite.ts';
import { type Item, type Stream, Streams, type ViewType } from '#dynamodb/streams.ts';

const viewTypes: readonly string[] = ['KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES'] satisfies readonly ViewType[];

/** DynamoDB and its Streams of one account in one region. */
export class DynamoDbRegion {
  readonly #region: string;
  readonly #accountId: string;
  readonly #tables: Table;
  readonly #streams: Streams;
  readonly #streamOf = new Map<string, Stream>();
  /** Writes to a table with a stream run one after the other, so that its records have the images that were. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor({ region, accountId, nowMs }: { readonly region: string; readonly accountId: string; readonly nowMs: () => number }) {
    this.#region = region;
    this.#accountId = accountId;
    this.#tables = openDynalite({ region, accountId });
    this.#streams = new Streams(nowMs);
  }

  async call(operation: string, body: Buffer): Promise<HeldAnswer> {
    switch (operation) {
      case 'CreateTable':
        return this.#createTable(parse(body));
      case 'UpdateTable':
        return this.#updateTable(parse(body));
      case 'DescribeTable':
        return this.#withStream(await this.#tables.call(operation, this.#named(body)), 'Table');
      case 'DeleteTable':
        return this.#deleteTable(this.#named(body));
      case 'PutItem':
      case 'UpdateItem':
      case 'DeleteItem':
      case 'BatchWriteItem':
        return this.#streamOf.size === 0 ? this.#tables.call(operation, this.#named(body)) : this.#write(operation, body);
      default:
        return this.#tables.call(operation, this.#named(body));
    }
  }

  callStreams(operation: string, body: Buffer): HeldAnswer {
    const input = parse(body);
    switch (operation) {
      case 'ListStreams':
        return ok(this.#streams.listStreams(input));
      case 'DescribeStream':
        return ok(this.#streams.describeStream(input));
      case 'GetShardIterator':
        return ok(this.#streams.getShardIterator(input));
      case 'GetRecords':
        return ok(this.#streams.getRecords(input));
      default:
        throw new AwsError('UnknownOperationException', '');
    }
  }

  /** A table's ARN may stand where its name does; dynalite knows names only. */
  #named(body: Buffer): Buffer {
    if (body.length > 65_536 || !body.includes('"arn:')) return body;
    const input = parse(body);
    const name = typeof input['TableName'] === 'string' ? this.#tableName(input['TableName']) : undefined;
    return name === undefined ? body : Buffer.from(JSON.stringify({ ...input, TableName: name }));
  }

  #tableName(text: string): string {
    const prefix = `arn:${partitionOf(this.#region)}:dynamodb:${this.#region}:${this.#accountId}:table/`;
    if (text.startsWith('arn:') && !text.startsWith(prefix))
      throw new AwsError('AccessDeniedException', `The table ${text} is not of this account and region.`);
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  }

  async #createTable({ StreamSpecification: stream, ...input }: Item): Promise<HeldAnswer> {
    const viewType = viewTypeOf(stream);
    const answer = await this.#tables.call('CreateTable', JSON.stringify(input));
    if (answer.status !== 200 || viewType === undefined) return answer;
    const { TableDescription: table } = parse(answer.body) as { readonly TableDescription: TableDescription };
    this.#openStream(table, viewType);
    return this.#withStream(answer, 'TableDescription');
  }

  async #updateTable({ StreamSpecification: specification, ...input }: Item): Promise<HeldAnswer> {
    if (specification === undefined)
      return this.#withStream(await this.#tables.call('UpdateTable', JSON.stringify(input)), 'TableDescription');
    const answer = await this.#tables.call('DescribeTable', JSON.stringify({ TableName: input['TableName'] }));
    if (answer.status !== 200) return answer;
    const { Table: table } = parse(answer.body) as { readonly Table: TableDescription };
    const viewType = viewTypeOf(specification);
    const open = this.#streamOf.get(table.TableName);
    if (viewType !== undefined && open !== undefined)
      throw new AwsError('ValidationException', 'Table already has an enabled stream: TableName: ' + table.TableName);
    if (viewType === undefined && open !== undefined) this.#closeStream(open);
    if (viewType !== undefined) this.#openStream(table, viewType);
    return this.#withStream(ok({ TableDescription: table }), 'TableDescription');
  }

  async #deleteTable(body: Buffer): Promise<HeldAnswer> {
    const answer = await this.#tables.call('DeleteTable', body);
    const stream = this.#streamOf.get(String(parse(body)['TableName']));
    if (answer.status === 200 && stream !== undefined) this.#closeStream(stream);
    return answer;
  }

  #openStream(table: TableDescription, viewType: ViewType): void {
    const { TableName: tableName, TableArn: tableArn, KeySchema: keySchema } = table;
    this.#streamOf.set(tableName, this.#streams.open({ tableName, tableArn, keySchema, viewType, region: this.#region }));
  }

  #closeStream(stream: Stream): void {
    stream.enabled = false;
    this.#streamOf.delete(stream.tableName);
  }

  #withStream(answer: HeldAnswer, field: 'Table' | 'TableDescription'): HeldAnswer {
    if (answer.status !== 200 || this.#streamOf.size === 0) return answer;
    const body = parse(answer.body);
    const table = body[field] as TableDescription;
    const stream = this.#streamOf.get(table.TableName);
    if (stream === undefined) return answer;
    const about = {
      StreamSpecification: { StreamEnabled: true, StreamViewType: stream.viewType },
      LatestStreamLabel: stream.label,
      LatestStreamArn: stream.arn,
    };
    return ok({ ...body, [field]: { ...table, ...about } });
  }

  async #write(operation: string, body: Buffer): Promise<HeldAnswer> {
    const named = this.#named(body);
    const changes = changesOf(operation, parse(named)).filter(({ tableName }) => this.#streamOf.has(tableName));
    if (changes.length === 0) return this.#tables.call(operation, named);
    const names = [...new Set(changes.map(({ tableName }) => tableName))];
    const before = Promise.all(names.map((name) => this.#turns.get(name) ?? Promise.resolve()));
    const turn = before.then(() => this.#writeWithRecords(operation, named, changes));
    const settled = turn.catch(() => undefined);
    for (const name of names) this.#turns.set(name, settled);
    return turn;
  }

  async #writeWithRecords(operation: string, body: Buffer, changes: readonly Change[]): Promise<HeldAnswer> {
    const images = await Promise.all(changes.map((change) => this.#image(change)));
    const answer = await this.#tables.call(operation, body);
    if (answer.status !== 200) return answer;
    for (const [index, change] of changes.entries()) {
      const stream = this.#streamOf.get(change.tableName);
      if (stream !== undefined) this.#streams.append(stream, images[index], await this.#image(change));
    }
    return answer;
  }

  async #image({ tableName, item }: Change): Promise<Item | undefined> {
    const keys = this.#streamOf.get(tableName)?.keySchema ?? [];
    const key = Object.fromEntries(keys.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
    const answer = await this.#tables.call('GetItem', JSON.stringify({ TableName: tableName, Key: key, ConsistentRead: true }));
    return answer.status === 200 ? (parse(answer.body)['Item'] as Item | undefined) : undefined;
  }
}

interface TableDescription {
  readonly TableName: string;
  readonly TableArn: string;
  readonly KeySchema: Stream['keySchema'];
}

interface Change {
  readonly tableName: string;
  /** The item or its key: both hold the key's attributes. */
  readonly item: Item;
}

function changesOf(operation: string, input: Item): readonly Change[] {
  if (operation !== 'BatchWriteItem')
    return [{ tableName: String(input['TableName']), item: (input['Item'] ?? input['Key'] ?? {}) as Item }];
  const requests = (input['RequestItems'] ?? {}) as Readonly<
    Record<string, readonly Readonly<Record<string, { readonly Item?: Item; readonly Key?: Item }>>[]>
  >;
  return Object.entries(requests).flatMap(([tableName, writes]) =>
    writes.map(({ PutRequest, DeleteRequest }) => ({ tableName, item: PutRequest?.Item ?? DeleteRequest?.Key ?? {} })),
  );
}

function viewTypeOf(specification: unknown): ViewType | undefined {
  const { StreamEnabled, StreamViewType } = (specification ?? {}) as {
    readonly StreamEnabled?: unknown;
    readonly StreamViewType?: unknown;
  };
  if (StreamEnabled !== true) return undefined;
  if (typeof StreamViewType !== 'string' || !viewTypes.includes(StreamViewType))
    throw new AwsError(
      'ValidationException',
      'One or more parameter values were invalid: StreamViewType is required when StreamEnabled is true',
    );
  return StreamViewType as ViewType;
}

function parse(body: Buffer): Item {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Item;
  } catch {
    // Falls to the refusal below.
  }
  throw new AwsError('SerializationException', '');
}

function ok(value: unknown): HeldAnswer {
  return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(JSON.stringify(value)) };
}
