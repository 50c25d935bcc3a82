import { DynamoDbRegion } from '#dynamodb/region.ts';
import { AwsError } from '#protocols/aws-error.ts';

const maxRegions = 64;

/** A namespace of tables for each region, made when it is first asked for. */
export class DynamoDbRegions {
  readonly #regions = new Map<string, DynamoDbRegion>();
  readonly #accountId: string;
  readonly #nowMs: () => number;

  constructor({ accountId, nowMs }: { readonly accountId: string; readonly nowMs: () => number }) {
    this.#accountId = accountId;
    this.#nowMs = nowMs;
  }

  get(region: string): DynamoDbRegion {
    const known = this.#regions.get(region);
    if (known !== undefined) return known;
    if (this.#regions.size >= maxRegions) throw new AwsError('InternalServerError', 'too many regions', 500);
    const made = new DynamoDbRegion({ region, accountId: this.#accountId, nowMs: this.#nowMs });
    this.#regions.set(region, made);
    return made;
  }
}
