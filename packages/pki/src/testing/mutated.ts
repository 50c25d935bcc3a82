import fc from 'fast-check';

type Change =
  | { readonly kind: 'drop' | 'double'; readonly at: number }
  | { readonly kind: 'swap'; readonly at: number; readonly with: number }
  | { readonly kind: 'cut' | 'flip' | 'put'; readonly at: number; readonly byte: number; readonly value: number }
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'grow'; readonly at: number; readonly bytes: Uint8Array };

const at = fc.nat(63);
const edge = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0xff_ffff, 0x7fff_ffff, 0xffff_ffff);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop' as const, 'double' as const), at }),
  fc.record({ kind: fc.constant('swap' as const), at, with: at }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'flip' as const, 'put' as const), at, byte: fc.nat(4095), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('number' as const), at, value: edge }),
  fc.record({ kind: fc.constant('grow' as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
);

/**
 * What becomes of a valid message, given as its fields in order, when up to four things happen to it: a field is lost, doubled,
 * moved, cut short, changed in a byte, made longer, or made of a number at some edge, as lengths are.
 */
export function mutated(fields: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc.array(change, { maxLength: 4 }).map((changes) => Buffer.concat(changes.reduce(apply, fields)));
}

function apply(fields: readonly Buffer[], made: Change): readonly Buffer[] {
  if (fields.length === 0) return fields;
  const index = made.at % fields.length;
  const field = fields[index] ?? Buffer.alloc(0);
  const replaced = (...by: readonly Buffer[]) => fields.toSpliced(index, 1, ...by);
  switch (made.kind) {
    case 'drop':
      return replaced();
    case 'double':
      return replaced(field, field);
    case 'swap': {
      const other = made.with % fields.length;
      return fields.with(index, fields[other] ?? field).with(other, field);
    }
    case 'number':
      return replaced(numberOf(made.value, field.length));
    case 'grow':
      return replaced(field, Buffer.from(made.bytes));
    default:
      return replaced(changedAt(field, made));
  }
}

/** Big-endian, as wide as what it stands for. */
function numberOf(value: number, bytes: number): Buffer {
  const width = Math.min(Math.max(bytes, 1), 6);
  const written = Buffer.alloc(width);
  written.writeUIntBE(value % 2 ** (8 * width), 0, width);
  return written;
}

function changedAt(field: Buffer, made: { readonly kind: 'cut' | 'flip' | 'put'; readonly byte: number; readonly value: number }): Buffer {
  const where = field.length === 0 ? 0 : made.byte % field.length;
  if (made.kind === 'cut') return field.subarray(0, where);
  const put = Buffer.from([made.value]);
  return Buffer.concat([field.subarray(0, where), put, field.subarray(made.kind === 'flip' ? where + 1 : where)]);
}

const MAX_LONG_MS = 20_000;

/** So many cases where somebody waits; where `npm run test:long` asks, a share of a million, or as many as a slow machine makes in 20 s. */
export function cases(quick: number, long: number): { readonly numRuns: number; readonly interruptAfterTimeLimit?: number } {
  return process.env['POSTERN_TESTS'] === 'long' ? { numRuns: long, interruptAfterTimeLimit: MAX_LONG_MS } : { numRuns: quick };
}
