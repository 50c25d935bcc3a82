import { fixedHosts, placeRules, places } from '#endpoints/endpoints.generated.ts';

/** How a request is told apart from those to another host of the same signing name. */
export type PlaceRule = {
  /** `target`, `form`, a method, or `-` for a beginning of a path whatever the method */
  readonly kind: string;
  /** the target or its prefix; segments of a path, in lower case, `*` for any one */
  readonly says: readonly string[];
  /** undefined: two services have this alike */
  readonly place: string | undefined;
};

export type FixedHost = { readonly host: string; readonly region: string };

export type PlaceTable = {
  /** of signing names with one place: labels in front of the region, `!` behind them under the dual-stack suffix, or `@x` (see fixed) */
  readonly single: ReadonlyMap<string, string>;
  readonly rules: ReadonlyMap<string, readonly PlaceRule[]>;
  /** by `@x region` and `@x partition` a host, by `@x place` the place elsewhere */
  readonly fixed: ReadonlyMap<string, FixedHost>;
};

let table: PlaceTable | undefined;

/** Made when it is first asked for: forward-proxy mode never needs it. */
export function placeTable(): PlaceTable {
  table ??= readTable();
  return table;
}

function readTable(): PlaceTable {
  const single = new Map(lines(places).map(([name = '', place]) => [name, place ?? name]));
  const rules = new Map<string, PlaceRule[]>();
  for (const [name = '', kind = '', says = '', place = '-'] of lines(placeRules)) {
    const rule = { kind, says: kind === 'target' ? [says] : says.split('/'), place: place === '-' ? undefined : place };
    rules.set(name, [...(rules.get(name) ?? []), rule]);
  }
  const fixed = new Map(lines(fixedHosts).map(([service, where, host = '', region = '']) => [`@${service} ${where}`, { host, region }]));
  return { single, rules, fixed };
}

function lines(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}
