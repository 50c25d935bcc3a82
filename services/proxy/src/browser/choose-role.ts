/** An application as auth lists it for one person. */
export interface OwnApp {
  readonly name: string;
  readonly description: string;
  /** ARNs that auth would allow, sorted. */
  readonly roles: readonly string[];
}

export type RoleChoice =
  | { readonly kind: 'role'; readonly arn: string }
  | { readonly kind: 'choose'; readonly roles: readonly string[] }
  | { readonly kind: 'none'; readonly reason: string };

/** Where no role is given: the only one, or a choice. What is given is for auth to judge, whatever this list says. */
export function chooseRole(app: OwnApp, asked: string): RoleChoice {
  if (asked !== '') return { kind: 'role', arn: asked };
  const [only] = app.roles;
  if (only === undefined)
    return {
      kind: 'none',
      reason: `your roles allow no IAM role on ${app.name}: an administrator grants one with aws_role_arns in a role or in your traits`,
    };
  return app.roles.length === 1 ? { kind: 'role', arn: only } : { kind: 'choose', roles: app.roles };
}

/** How people know a role: its name, and the account where the names alone do not tell. */
export function roleLabel(arn: string): { readonly name: string; readonly account: string } {
  const [, account = '', path = arn] = /^arn:[a-z-]+:iam::(\d{12}):role\/(.+)$/.exec(arn) ?? [];
  return { name: path, account };
}
