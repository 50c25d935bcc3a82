import { JsonFault } from '#dynamodb/json-cursor.ts';
import { JsonScanner } from '#dynamodb/json-scanner.ts';
import type { Cap, Capped, Parts } from '#handouts/cap-in-form.ts';
import type { Refusal } from '#refusals/refusal.ts';

/** A member of the JSON object that the body is, of which each name may be there once. */
export function capInJson(cap: Cap, { query, body }: Parts): Capped | Refusal {
  const names: string[] = [];
  try {
    const scanner = new JsonScanner(body, { sliceBytes: body.length + 1 });
    const seen = scanner.enterObject();
    for (let name = scanner.nextName(seen); name !== undefined; name = scanner.nextName(seen)) {
      names.push(name);
      while (!scanner.skipValue());
    }
    scanner.end();
  } catch (error) {
    if (error instanceof JsonFault) return { refusal: error.message };
    throw error;
  }
  const odd = names.find((name) => name !== cap.member && name.toLowerCase() === cap.member.toLowerCase());
  if (odd !== undefined) return { refusal: `${cap.member} is written ${JSON.stringify(odd)}` };
  const members: Record<string, unknown> = JSON.parse(body.toString('utf8'));
  const asked = members[cap.member] ?? cap.otherwise;
  if (typeof asked !== 'number' || !Number.isInteger(asked) || asked < 0) return { refusal: `${cap.member} is not a whole number` };
  const duration = Math.min(asked, cap.most);
  return { query, body: Buffer.from(JSON.stringify({ ...members, [cap.member]: duration })), duration };
}
