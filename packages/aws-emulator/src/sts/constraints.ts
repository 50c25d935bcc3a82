import { AwsError } from '#protocols/aws-error.ts';

/** Collects what is wrong with a request's members and says it as STS does: "2 validation errors detected: …". */
export class Constraints {
  readonly #errors: string[] = [];

  length(name: string, value: string, { min, max }: { readonly min: number; readonly max: number }): void {
    if (value.length < min) this.#add(name, value, `Member must have length greater than or equal to ${min}`);
    if (value.length > max) this.#add(name, value, `Member must have length less than or equal to ${max}`);
  }

  pattern(name: string, value: string, pattern: RegExp): void {
    if (!new RegExp(`^(?:${pattern.source})$`, 'u').test(value))
      this.#add(name, value, `Member must satisfy regular expression pattern: ${pattern.source}`);
  }

  range(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
    if (!(value >= min)) this.#add(name, String(value), `Member must have value greater than or equal to ${min}`);
    if (value > max) this.#add(name, String(value), `Member must have value less than or equal to ${max}`);
  }

  required(name: string, value: string | undefined): string {
    if (value === undefined) this.#errors.push(`Value null at '${name}' failed to satisfy constraint: Member must not be null`);
    return value ?? '';
  }

  #add(name: string, value: string, constraint: string): void {
    this.#errors.push(`Value '${value}' at '${name}' failed to satisfy constraint: ${constraint}`);
  }

  check(): void {
    const count = this.#errors.length;
    if (count > 0)
      throw new AwsError('ValidationError', `${count} validation error${count > 1 ? 's' : ''} detected: ${this.#errors.join('; ')}`);
  }
}
