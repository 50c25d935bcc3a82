import { type Kind, kindNames, kindOf } from '@postern/resources';
import { UsageError } from '@postern/terminal/usage-error';

export interface ResourceRefText {
  readonly kind: Kind;
  readonly name?: string;
}

/** "roles", "users/alice", "role/access,locks" or "all". */
export function parseRefs(text: string): readonly ResourceRefText[] {
  if (text === 'all') return kindNames.map((kind) => ({ kind }));
  return text.split(',').map(parseRef);
}

/** KIND/NAME for a command that acts on one resource. */
export function parseNamedRef(text: string): { readonly kind: Kind; readonly name: string } {
  const { kind, name } = parseRef(text);
  if (name === undefined) throw new UsageError(`"${text}": write ${kind}/<name>`);
  return { kind, name };
}

/** A name may hold a slash: only the first one separates. */
function parseRef(text: string): ResourceRefText {
  const at = text.indexOf('/');
  const word = at < 0 ? text : text.slice(0, at);
  const kind = kindOf(word);
  if (/^(?:github|saml|oidc)s?$/.test(word))
    throw new UsageError(`"${word}": single sign-on does not exist yet: users are local (tctl users add)`);
  if (kind === undefined) throw new UsageError(`"${word}" is not a kind of resource: known are ${kindNames.join(', ')}`);
  const name = at < 0 ? '' : text.slice(at + 1);
  return name === '' ? { kind } : { kind, name };
}

/** As Teleport prints it: role 'access', user "alice". */
export function titleOf(kind: string, name: string): string {
  return kind === 'role' ? `role '${name}'` : `${kind} "${name}"`;
}
