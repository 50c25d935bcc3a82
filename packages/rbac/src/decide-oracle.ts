import type { AccessRequest, RoleConditions, Subject, Traits } from '#model.ts';

/**
 * What must be decided, said a second time and another way, for tests only: every value becomes a JavaScript RegExp after
 * the traits have been written into it by plain replacement, and the decision is two `some` over the roles. Knows the
 * values that the property test generates, not the whole language.
 */
export function oracle({ roles, traits }: Subject, request: AccessRequest): boolean {
  const field = request.kind === 'db' ? 'dbLabels' : 'appLabels';
  const names = request.kind === 'db' ? 'dbUsers' : 'awsRoleArns';
  const fits = (conditions: RoleConditions, fallback?: Record<string, string[]>): boolean => {
    const wanted = Object.entries(conditions[field] ?? fallback ?? {});
    const all = wanted.every(
      ([key, values]) =>
        key === '*' ||
        values.some(
          (value) =>
            Reflect.ownKeys(request.labels).includes(key) &&
            fill(value, traits, true).some((source) => new RegExp(source, 'su').test(request.labels[key] ?? '')),
        ),
    );
    return wanted.length > 0 && all;
  };
  const principals = (conditions: RoleConditions): string[] =>
    (conditions[names] ?? []).flatMap((value) => (value === '*' ? ['\u0000any'] : fill(value, traits, false)));
  const asked = request.principal ?? [];
  const denied = roles.some(
    ({ deny }) =>
      fits(deny) ||
      (request.principal !== undefined &&
        principals(deny).some(
          (name) =>
            name === '\u0000any' ||
            [...asked, ...(request.deniedAs ?? [])].some((spelling) => spelling.toUpperCase() === name.toUpperCase()),
        )),
  );
  const granted = roles.some(({ allow, version }) => {
    if (!fits(allow, version === 'v3' ? { '*': ['*'] } : undefined)) return false;
    return (
      request.principal === undefined ||
      asked.some((spelling) => principals(allow).some((name) => name === '\u0000any' || name === spelling))
    );
  });
  return granted && !denied;
}

function fill(value: string, traits: Traits, pattern: boolean): string[] {
  const [before = '', name, after = ''] = value.split(/\{\{(?:internal|external)\.(\w+)\}\}/u);
  const texts = name === undefined ? [''] : Object.entries(traits).flatMap(([key, all]) => (key === name ? all.filter(Boolean) : []));
  const regex = pattern && (before + after).startsWith('^') && (before + after).endsWith('$') && (before + after).length > 1;
  const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&');
  const glob = (text: string): string => text.split('*').map(escape).join('.*');
  if (!pattern) return texts.map((text) => before + text + after);
  return texts.map((text) => (regex ? before + escape(text) + after : `^${glob(before)}${escape(text)}${glob(after)}$`));
}
