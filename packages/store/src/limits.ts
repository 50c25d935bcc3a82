import type { Operation } from '#store.ts';

/** Keys are compared byte by byte in UTF-8; both stores order them so. */
export const maxKeyBytes = 1024;
export const maxValueBytes = 1024 * 1024;
export const maxOperations = 1000;
export const defaultMaxBehind = 10_000;

/** Sorts after every key that begins with the prefix: U+10FFFF is refused in keys for this. */
export const afterPrefix = (prefix: string): string => `${prefix}\u{10FFFF}`;

export function checkKey(key: string): void {
  if (!key.isWellFormed() || key.includes('\0') || key.includes('\u{10FFFF}')) {
    throw new RangeError(`store key ${JSON.stringify(key)} holds a character that no key may hold`);
  }
  if (key.split('/').includes('')) throw new RangeError(`store key ${JSON.stringify(key)} has an empty segment`);
  if (Buffer.byteLength(key) > maxKeyBytes)
    throw new RangeError(`store key ${JSON.stringify(key.slice(0, 64))}… is longer than ${maxKeyBytes} bytes`);
}

/** Refuses what the caller got wrong before anything is asked of the store: RangeError, since no state can make it right. */
export function checkOperations(operations: readonly Operation[]): void {
  if (operations.length > maxOperations) throw new RangeError(`a batch holds ${operations.length} operations, more than ${maxOperations}`);
  for (const operation of operations) {
    checkKey(operation.key);
    if (!('value' in operation)) continue;
    if (!operation.value.isWellFormed()) throw new RangeError(`the value of ${operation.key} is not well-formed unicode`);
    if (Buffer.byteLength(operation.value) > maxValueBytes)
      throw new RangeError(`the value of ${operation.key} is longer than ${maxValueBytes} bytes`);
    if (operation.expiresMs !== undefined && !Number.isSafeInteger(operation.expiresMs)) {
      throw new RangeError(`the expiry of ${operation.key} is not a whole number of milliseconds`);
    }
  }
}
