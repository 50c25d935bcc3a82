import { styleText } from 'node:util';
import { type Command, CommanderError } from 'commander';
import { exitCodeOf, PosternError } from '@postern/api/errors';
import { printableLines } from '#output.ts';
import { UsageError } from '#usage-error.ts';

const USAGE_EXIT_CODE = 2;
/** Output is data and waits for its reader. Messages and log lines do not: a service must stop although nobody reads them. */
const LAST_WORDS_MS = 1_000;

/**
 * Runs a command line to its end and leaves the process with the exit code of what happened. It is the one
 * place where an error of tsh, tctl and teleport becomes words for a person.
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<never> {
  // A reader that goes away ("tctl get roles | head -1") is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  let code = 0;
  try {
    await program.parseAsync(argv.map(unspaced), { from: 'user' });
    code = Number(process.exitCode ?? 0);
  } catch (error) {
    code = report(error, argv.includes('-d') || argv.includes('--debug'));
  }
  await flushed(process.stdout);
  await Promise.race([flushed(process.stderr), new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
  process.exit(code);
}

/**
 * A command copied from a web page may have lost its line breaks but kept the backslashes before them
 * ("tokens add \ --type=db"): the shell then hands over " --type=db".
 */
function unspaced(argument: string): string {
  return /^ --[a-z][a-z-]*(=|$)/.test(argument) ? argument.slice(1) : argument;
}

export function report(error: unknown, debug = false): number {
  // Commander has printed its own message, with a suggestion where a name is close to a known one.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  process.stderr.write(`${styleText('red', 'ERROR:', { stream: process.stderr })} ${printableLines(messageOf(error))}\n`);
  if (debug && error instanceof Error && error.stack !== undefined) process.stderr.write(`${printableLines(error.stack)}\n`);
  if (error instanceof UsageError) return USAGE_EXIT_CODE;
  return error instanceof PosternError ? exitCodeOf[error.code] : 1;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
