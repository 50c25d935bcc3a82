import type { DynamoDbService } from '#endpoints/hosts.ts';
import { generatedOperations } from '#dynamodb/operations.generated.ts';

export type OperationClass = 'data-read' | 'data-write' | 'meta-read' | 'meta-list' | 'admin' | 'partiql';

/** Where a request of an operation names a table: a path of members, '[]' for each element of a list, and how to read what stands there. */
export type TableRule = {
  readonly path: readonly string[];
  readonly read: 'name' | 'arn' | 'keys' | 'statement' | 'shard-iterator';
  /** 'one of': at least one of the rules of this presence must be met */
  readonly presence: 'required' | 'optional' | 'one of';
};

export type OperationModel = {
  /** the exact value of X-Amz-Target */
  readonly target: string;
  readonly service: DynamoDbService;
  readonly operation: string;
  readonly class: OperationClass;
  readonly tables: readonly TableRule[];
};
export type DynamoDbOperation = OperationModel;

const byTarget: ReadonlyMap<string, OperationModel> = new Map(generatedOperations.map((model) => [model.target, model]));

/** All 57 operations of DynamoDB and 4 of its Streams. Exact match only: a prefix or another case is some other service's, or nobody's. */
export function dynamodbOperation(target: string): DynamoDbOperation | undefined {
  return byTarget.get(target);
}

export function allDynamoDbOperations(): readonly DynamoDbOperation[] {
  return generatedOperations;
}
