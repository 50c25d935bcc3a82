/** The command line itself is wrong: exit code 2, found before anything is asked of the cluster. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
