/** Flags of `users add` and `users update`, and the traits that templates read as {{internal.NAME}}. */
export interface TraitFlags {
  readonly dbUsers?: readonly string[];
  readonly awsRoleArns?: readonly string[];
  readonly logins?: readonly string[];
}

export function traitsOf(flags: TraitFlags): Record<string, { values: string[] }> {
  const named = { db_users: flags.dbUsers, aws_role_arns: flags.awsRoleArns, logins: flags.logins };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, values]) => (values === undefined ? [] : [[name, { values: [...values] }]])),
  );
}
