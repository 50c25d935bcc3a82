import { randomBytes } from 'node:crypto';

import { AwsError } from '#protocols/aws-error.ts';

export type Item = Readonly<Record<string, unknown>>;
export type ViewType = 'KEYS_ONLY' | 'NEW_IMAGE' | 'OLD_IMAGE' | 'NEW_AND_OLD_IMAGES';

export interface Stream {
  readonly arn: string;
  readonly label: string;
  readonly tableName: string;
  readonly region: string;
  readonly viewType: ViewType;
  readonly keySchema: readonly { readonly AttributeName: string; readonly KeyType: string }[];
  readonly createdMs: number;
  readonly records: StreamRecord[];
  enabled: boolean;
  /** Sequence numbers grow by one; records that were dropped are behind the first kept. */
  nextSequence: number;
}
interface StreamRecord {
  readonly sequence: number;
  readonly record: Readonly<Record<string, unknown>>;
}

const maxRecords = 10_000;
const shardId = 'shardId-00000001567890123456-0a1b2c3d';

/** DynamoDB Streams with one open shard for each table. */
export class Streams {
  readonly #byArn = new Map<string, Stream>();
  readonly #nowMs: () => number;
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  open(table: Pick<Stream, 'tableName' | 'region' | 'viewType' | 'keySchema'> & { readonly tableArn: string }): Stream {
    const createdMs = this.#nowMs();
    const label = new Date(createdMs).toISOString().replace('Z', '');
    const stream: Stream = {
      ...table,
      arn: `${table.tableArn}/stream/${label}`,
      label,
      createdMs,
      records: [],
      enabled: true,
      nextSequence: 1,
    };
    this.#byArn.set(stream.arn, stream);
    return stream;
  }

  /** Puts a change on the stream; one that changes nothing leaves no record, as in DynamoDB. */
  append(stream: Stream, before: Item | undefined, after: Item | undefined): void {
    if (!stream.enabled || (before === undefined && after === undefined) || JSON.stringify(before) === JSON.stringify(after)) return;
    const sequence = stream.nextSequence;
    stream.nextSequence += 1;
    const item = after ?? before ?? {};
    const keys = Object.fromEntries(stream.keySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
    const wantsNew = stream.viewType === 'NEW_IMAGE' || stream.viewType === 'NEW_AND_OLD_IMAGES';
    const wantsOld = stream.viewType === 'OLD_IMAGE' || stream.viewType === 'NEW_AND_OLD_IMAGES';
    const images = {
      ...(wantsNew && after !== undefined ? { NewImage: after } : {}),
      ...(wantsOld && before !== undefined ? { OldImage: before } : {}),
    };
    const record = {
      eventID: randomBytes(16).toString('hex'),
      eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: stream.region,
      dynamodb: {
        ApproximateCreationDateTime: Math.floor(this.#nowMs() / 1000),
        Keys: keys,
        ...images,
        SequenceNumber: sequenceText(sequence),
        SizeBytes: Buffer.byteLength(JSON.stringify({ keys, ...images })),
        StreamViewType: stream.viewType,
      },
    };
    stream.records.push({ sequence, record });
    if (stream.records.length > maxRecords) stream.records.shift();
  }

  listStreams({ TableName }: Item): unknown {
    const streams = [...this.#byArn.values()].filter((stream) => TableName === undefined || stream.tableName === TableName);
    return { Streams: streams.map(({ arn, label, tableName }) => ({ StreamArn: arn, StreamLabel: label, TableName: tableName })) };
  }

  describeStream({ StreamArn }: Item): unknown {
    const stream = this.#find(StreamArn);
    return {
      StreamDescription: {
        StreamArn: stream.arn,
        StreamLabel: stream.label,
        StreamStatus: stream.enabled ? 'ENABLED' : 'DISABLED',
        StreamViewType: stream.viewType,
        CreationRequestDateTime: Math.floor(stream.createdMs / 1000),
        TableName: stream.tableName,
        KeySchema: stream.keySchema,
        Shards: [{ ShardId: shardId, SequenceNumberRange: { StartingSequenceNumber: sequenceText(1) } }],
      },
    };
  }

  getShardIterator({ StreamArn, ShardId, ShardIteratorType, SequenceNumber }: Item): unknown {
    const stream = this.#find(StreamArn);
    if (ShardId !== shardId)
      throw new AwsError('ResourceNotFoundException', `Requested resource not found: Shard: ${String(ShardId)} not found`);
    return { ShardIterator: iterator(stream.arn, startOf(stream, String(ShardIteratorType), SequenceNumber)) };
  }

  getRecords({ ShardIterator, Limit = 1000 }: Item): unknown {
    const { arn, from } = readIterator(ShardIterator);
    const stream = this.#find(arn);
    if (typeof Limit !== 'number' || Limit < 1 || Limit > 1000) throw new AwsError('ValidationException', 'Limit must be from 1 to 1000');
    const found = stream.records.filter(({ sequence }) => sequence >= from).slice(0, Limit);
    const next = (found.at(-1)?.sequence ?? from - 1) + 1;
    return { Records: found.map(({ record }) => record), ...(stream.enabled ? { NextShardIterator: iterator(stream.arn, next) } : {}) };
  }

  #find(arn: unknown): Stream {
    const stream = typeof arn === 'string' ? this.#byArn.get(arn) : undefined;
    if (stream === undefined)
      throw new AwsError('ResourceNotFoundException', `Requested resource not found: Stream: ${String(arn)} not found`);
    return stream;
  }
}

function startOf(stream: Stream, type: string, sequenceNumber: unknown): number {
  if (type === 'TRIM_HORIZON') return 1;
  if (type === 'LATEST') return stream.nextSequence;
  const sequence = Number(sequenceNumber) / 100;
  if (typeof sequenceNumber === 'string' && Number.isInteger(sequence)) {
    if (type === 'AT_SEQUENCE_NUMBER') return sequence;
    if (type === 'AFTER_SEQUENCE_NUMBER') return sequence + 1;
  }
  throw new AwsError('ValidationException', 'ShardIteratorType or SequenceNumber is not valid');
}

/** Twenty-one digits in DynamoDB; only their order means something. */
function sequenceText(sequence: number): string {
  return String(sequence * 100).padStart(21, '0');
}

function iterator(arn: string, from: number): string {
  return `${arn}|1|${Buffer.from(JSON.stringify({ from })).toString('base64')}`;
}

function readIterator(text: unknown): { readonly arn: string; readonly from: number } {
  const [arn = '', version, encoded = ''] = typeof text === 'string' ? text.split('|') : [];
  try {
    const { from } = JSON.parse(Buffer.from(encoded, 'base64').toString()) as { readonly from?: unknown };
    if (version === '1' && typeof from === 'number') return { arn, from };
  } catch {
    // Falls to the refusal below, as any other text that is no iterator.
  }
  throw new AwsError('ValidationException', 'Invalid ShardIterator');
}
