/** Where in a role something is wrong, as a path into the written role, and what to write instead. */
export interface RoleProblem {
  readonly path: string;
  readonly message: string;
}

/** A role that cannot be decided with. Whoever asks for a decision must refuse: a role left out is a deny left out. */
export class RoleError extends Error {
  override readonly name = 'RoleError';
  readonly role: string;
  readonly problems: readonly RoleProblem[];
  constructor(role: string, problems: readonly RoleProblem[]) {
    super(`role ${role}: ${problems.map((problem) => `${problem.path}: ${problem.message}`).join('; ')}`);
    this.role = role;
    this.problems = problems;
  }
}
