import { AwsError } from '#protocols/aws-error.ts';
import type { Identity } from '#options.ts';
import type { Constraints } from '#sts/constraints.ts';
import { members } from '#protocols/query.ts';

export interface SessionTags {
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  /** Given in this request, so that the role must trust sts:TagSession. */
  readonly asked: boolean;
}

/** Tags of a request, on top of those that the caller's session hands on. Limits: STS API reference, AssumeRole. */
export function sessionTags(parameters: ReadonlyMap<string, string>, caller: Identity, constraints: Constraints): SessionTags {
  const given = members(parameters, 'Tags');
  const transitive = members(parameters, 'TransitiveTagKeys').map((member) => member.get('') ?? '');
  if (given.length > 50)
    throw new AwsError(
      'ValidationError',
      "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
    );
  const tags = new Map<string, string>(caller.transitiveTagKeys.map((key) => [key, caller.tags[key] ?? '']));
  const seen = new Set<string>();
  for (const [index, member] of given.entries()) {
    const key = constraints.required(`tags.${index + 1}.member.key`, member.get('Key'));
    const value = constraints.required(`tags.${index + 1}.member.value`, member.get('Value'));
    constraints.length(`tags.${index + 1}.member.key`, key, { min: 1, max: 128 });
    constraints.length(`tags.${index + 1}.member.value`, value, { min: 0, max: 256 });
    constraints.pattern(`tags.${index + 1}.member.key`, key, /[\p{L}\p{Z}\p{N}_.:/=+\-@]+/u);
    constraints.pattern(`tags.${index + 1}.member.value`, value, /[\p{L}\p{Z}\p{N}_.:/=+\-@]*/u);
    if (/^aws:/iu.test(key)) throw new AwsError('ValidationError', 'System tag keys begin with aws: and cannot be given.');
    if (seen.has(key.toLowerCase()))
      throw new AwsError('InvalidParameterValue', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    seen.add(key.toLowerCase());
    if ([...caller.transitiveTagKeys].some((inherited) => inherited.toLowerCase() === key.toLowerCase())) {
      throw new AwsError(
        'InvalidParameterValue',
        `One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session: ${key}`,
      );
    }
    tags.set(key, value);
  }
  const unknown = transitive.find((key) => !seen.has(key.toLowerCase()));
  if (unknown !== undefined)
    throw new AwsError('InvalidParameterValue', 'The specified transitive tag key must be included in the requested tags.');
  return {
    tags: Object.fromEntries(tags),
    transitiveTagKeys: [...new Set([...caller.transitiveTagKeys, ...transitive])],
    asked: given.length > 0,
  };
}
