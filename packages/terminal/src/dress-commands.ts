import { styleText } from 'node:util';
import type { Command } from 'commander';

/** Lines that can be typed as they stand, by the command that they show ("users add"). */
export type Examples = Readonly<Record<string, readonly string[]>>;

/**
 * The same manners for every command of a program, set once its commands are all there: help shows the program's own
 * flags and examples, and an error names the help page to read next.
 */
export function dressCommands(program: Command, examples: Examples): Command {
  visit(program, program.name(), (command, path) => {
    command
      .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: () => [...program.options] })
      .configureOutput({
        outputError: (text, write) => write(text.replace(/^error: /, `${styleText('red', 'ERROR:', { stream: process.stderr })} `)),
      })
      .showHelpAfterError(`run ${path} --help to see the flags`);
    const lines = examples[path.slice(program.name().length + 1)];
    if (lines !== undefined) command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
  });
  return program;
}

function visit(command: Command, path: string, see: (command: Command, path: string) => void): void {
  see(command, path);
  for (const child of command.commands) visit(child, `${path} ${child.name()}`, see);
}
