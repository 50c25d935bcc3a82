/** The parts that join with a token. */
export const joinRoles = ['db', 'app', 'proxy'] as const;
export type JoinRole = (typeof joinRoles)[number];

export function isJoinRole(value: string): value is JoinRole {
  return (joinRoles as readonly string[]).includes(value);
}
