import type { Refusal } from '#refusals/refusal.ts';
import { formPair, type FormPair, parseForm } from '#requests/form.ts';

export type Cap = {
  readonly member: string;
  /** in the member's own unit */
  readonly most: number;
  /** what is set where the request does not say */
  readonly otherwise: number;
};
export type Parts = { readonly query: string; readonly body: Buffer };
export type Capped = Parts & { readonly duration: number };

/** A form may stand in the body, in the query string or in both, and AWS reads them as one. */
export function capInForm(cap: Cap, parts: Parts & { readonly readsBody: boolean }): Capped | Refusal {
  const query = parseForm(parts.query);
  const body = parseForm(parts.readsBody ? parts.body.toString('latin1') : '');
  if (query === undefined || body === undefined) return { refusal: 'the parameters are not encoded as a form is' };
  const found = [...query, ...body].filter(({ name }) => name.toLowerCase() === cap.member.toLowerCase());
  const [asked, another] = found;
  if (another !== undefined) return { refusal: `${cap.member} is there twice` };
  if (asked !== undefined && asked.name !== cap.member) return { refusal: `${cap.member} is written ${JSON.stringify(asked.name)}` };
  if (asked !== undefined && !/^\d{1,9}$/.test(asked.value)) return { refusal: `${cap.member} is not a whole number` };
  const duration = asked === undefined ? cap.otherwise : Math.min(Number(asked.value), cap.most);
  const pair = formPair(cap.member, String(duration));
  const inBody = asked === undefined ? body.length > 0 : body.includes(asked);
  return {
    query: inBody ? parts.query : written(query, { asked, pair }),
    body: inBody ? Buffer.from(written(body, { asked, pair }), 'latin1') : parts.body,
    duration,
  };
}

function written(pairs: readonly FormPair[], { asked, pair }: { asked: FormPair | undefined; pair: string }): string {
  const raw = pairs.filter((one) => one !== asked).map((one) => one.raw);
  return [...raw, pair].join('&');
}
