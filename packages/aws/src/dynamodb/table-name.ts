import { partitionOf } from '#endpoints/partitions.ts';

/** The region and account that the resource stands for: a request may name nothing outside them. */
export type Place = { readonly region: string; readonly accountId: string };
export type RequestRefusal = { readonly code: 'ValidationException' | 'AccessDeniedException'; readonly message: string };

/** A request that names its tables in a way that cannot be allowed. */
export class TableFault extends Error {
  override readonly name = 'TableFault';
  readonly code: RequestRefusal['code'];
  constructor(code: RequestRefusal['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const namePattern = /^[a-zA-Z0-9_.-]{3,255}$/;
const subresources = '(?:/(?:index|stream|backup|export|import)/[a-zA-Z0-9_.:-]+)?';
const tableArnPattern = new RegExp(
  `^arn:([a-z-]+):dynamodb:([a-z0-9-]*):(\\d{12}):(?:table/([a-zA-Z0-9_.-]{3,255})${subresources}|global-table/([a-zA-Z0-9_.-]{3,255}))$`,
);

/** `TableName` and the keys of `RequestItems` hold a name or an ARN. */
export function tableName(text: string, place: Place): string {
  if (text.startsWith('arn:')) return tableOfArn(text, place);
  if (!namePattern.test(text))
    throw new TableFault('ValidationException', `${shown(text)} is not a table name: 3 to 255 letters, digits and _ - .`);
  return text;
}

/** The table of an ARN of a table, or of one of its indexes, streams, backups, exports or imports. */
export function tableOfArn(text: string, place: Place): string {
  const match = text.length > 1283 ? null : tableArnPattern.exec(text);
  if (match === null) throw new TableFault('ValidationException', `${shown(text)} is not an ARN of a DynamoDB table`);
  const [, partition, region, accountId, table, globalTable] = match;
  // the global tables of 2017 have ARNs without a region
  const regionFits = globalTable === undefined ? region === place.region : region === '' || region === place.region;
  if (!regionFits || accountId !== place.accountId || partition !== partitionOf(place.region)?.id) {
    throw new TableFault('AccessDeniedException', `${shown(text)} is not in account ${place.accountId}, region ${place.region}`);
  }
  return table ?? globalTable ?? '';
}

/** An iterator is opaque, but in practice its stream's ARN stands before the first bar; undefined where it does not. */
export function tableOfShardIterator(text: string, place: Place): string | undefined {
  const start = /^(?:\d{3}\|)?(arn:[^|]+)\|/.exec(text)?.[1];
  return start === undefined ? undefined : tableOfArn(start, place);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
