import { execFileSync } from 'node:child_process';

const required = process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined;

/** Skips with a line where a program is not there; fails instead where everything is required. */
export function present(command: string, args: readonly string[], install: string): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    if (required) throw new Error(`${command} ${args.join(' ')} does not run: ${install}`);
    process.stderr.write(`skipped: ${install}\n`);
    return false;
  }
}
