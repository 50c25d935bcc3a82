/**
 * A sentence for each value that stands for the ARN of a role and can be none: it is kept as it was written, as Teleport keeps it, and
 * grants nothing. The guides have such ones: an account to replace, and a colon too few. A name alone is what db_users takes.
 */
export function misspeltArns(values: readonly string[]): readonly string[] {
  return values
    .filter(isMisspelt)
    .map((value) => `${value} is not the ARN of a role and grants nothing: write arn:aws:iam::123456789012:role/NAME`);
}

/** Of a value with a template only what stands before it can be judged. */
function isMisspelt(value: string): boolean {
  const [before = '', template] = value.split('{{', 2);
  const whole = /^arn:aws[a-z-]*:iam::\d{12}:role\/./;
  const begun = /^arn:(?:aws[a-z-]*(?::(?:iam(?::(?::(?:\d{12}(?::(?:role\/.*)?)?)?)?)?)?)?)?$/;
  if (template === undefined) return value !== '*' && !whole.test(value);
  return before !== '' && !begun.test(before);
}
