import { isAbsolute } from 'node:path';
import { parseDurationMs } from '@postern/resources';
import { z } from 'zod';
import type { HostPort } from '#teleport-config.ts';

/** What several sections have in common. Messages follow the field's name: "teleport.data_dir: must be …". */

const truths: Readonly<Record<string, boolean>> = { yes: true, true: true, on: true, no: false, false: false, off: false };

/** Teleport's own files write "yes"; YAML 1.2 reads an unquoted yes as a text too. */
export const flag = z.union([z.boolean(), z.string()]).transform((written, context) => {
  const value = typeof written === 'boolean' ? written : truths[written.toLowerCase()];
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message: 'must be yes or no' });
  return z.NEVER;
});

export const text = z.string().min(1).max(2048);

export const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), { error: 'must be an absolute path' });

export const duration = z.string().transform((written, context) => {
  const ms = parseDurationMs(written);
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 8h or 1h30m' });
  return z.NEVER;
});

/** "host:port", "host", "[v6]:port", ":port" where a default host is given, with "https://" or "tcp://" before it. */
export function address(defaults: { readonly port: number; readonly host?: string }) {
  return z.string().transform((written, context): HostPort => {
    const parsed = readAddress(written, defaults);
    if (parsed) return parsed;
    context.addIssue({ code: 'custom', message: `must be an address such as teleport.example.com:${defaults.port}` });
    return z.NEVER;
  });
}

function readAddress(written: string, defaults: { readonly port: number; readonly host?: string }): HostPort | undefined {
  const match = /^(?:(?:https|tcp):\/\/)?(?:\[([0-9a-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))?)(?::(\d{1,5}))?\/?$/i.exec(
    written,
  );
  if (!match || written === '') return undefined;
  const host = match[1] ?? match[2] ?? defaults.host;
  const port = match[3] === undefined ? defaults.port : Number(match[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

export function hostPortText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One value or a list of them; nothing where it is empty. A union would say "has none of the forms"; this says what is wrong. */
export function oneOrMany<T extends z.ZodType>(item: T) {
  return z.unknown().transform((written, context): z.output<T>[] => {
    const alone = !Array.isArray(written);
    const items: readonly unknown[] = alone ? (written === '' || written === null ? [] : [written]) : written;
    const values: z.output<T>[] = [];
    for (const [index, input] of items.entries()) {
      const result = item.safeParse(input, { reportInput: true });
      if (result.success) values.push(result.data);
      else for (const issue of result.error.issues) context.issues.push(issueAt(issue, alone ? [] : [index]));
    }
    return values;
  });
}

function issueAt(issue: z.core.$ZodIssue, path: readonly number[]): z.core.$ZodRawIssue {
  const moved: object = { ...issue, path };
  return moved as z.core.$ZodRawIssue;
}

/** Empty in the ways that `teleport configure` writes a field nobody set. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 'no' || value === 'off' || value === '0s') return true;
  return typeof value === 'object' && Object.values(value ?? {}).every(isEmpty);
}

/** A field of Teleport's that nothing here serves: an empty one is taken, any other would be a promise that is not kept. */
export function notServed(reason: string) {
  return z.unknown().refine(isEmpty, { error: reason }).optional();
}

/** A field of Teleport's that changes nothing here, so that its files can be used as they are. */
export const withoutEffect = z.unknown().optional();

export const optionalText = z
  .string()
  .max(2048)
  .transform((value) => (value === '' ? undefined : value))
  .nullish()
  .transform((value) => value ?? undefined);

type LabelMatchers = Readonly<Record<string, readonly string[]>>;

/** `'*': '*'`, `env: dev`, `env: [dev, test]`. */
export const labelMatchers = z
  .custom<Readonly<Record<string, string | readonly string[]>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    {
      error: "must be a map of label to text or list of texts, such as '*': '*'",
    },
  )
  .superRefine((value, context) => {
    for (const [key, written] of Object.entries(value)) {
      const texts: readonly unknown[] = Array.isArray(written) ? written : [written];
      if (key === '__proto__' || key === '' || key.length > 128)
        context.addIssue({ code: 'custom', path: [key], message: 'is not the name of a label' });
      else if (texts.length === 0) context.addIssue({ code: 'custom', path: [key], message: 'must not be an empty list' });
      else if (!texts.every((item) => typeof item === 'string' && item.length <= 256)) {
        context.addIssue({
          code: 'custom',
          path: [key],
          message: 'must be a text or a list of texts; write numbers and true or false in quotes',
        });
      } else if (key === '*' && !texts.includes('*'))
        context.addIssue({ code: 'custom', path: [key], message: "must be '*' where the label is '*'" });
    }
  })
  .transform(
    (value): LabelMatchers =>
      Object.fromEntries(Object.entries(value).map(([key, written]) => [key, typeof written === 'string' ? [written] : written])),
  );
