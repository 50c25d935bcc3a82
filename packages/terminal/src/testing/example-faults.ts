import type { Command } from 'commander';
import type { Examples } from '#dress-commands.ts';

/** What is wrong with the examples of a program: a command without one, one of no command, a flag that does not exist. */
export function exampleFaults(program: Command, examples: Examples): string[] {
  const commands = leaves(program);
  const names = new Set(commands.map(({ path }) => path));
  const orphans = Object.keys(examples).filter((path) => !names.has(path));
  const faults = commands.flatMap(({ path, command }) => {
    const lines = examples[path] ?? [];
    return lines.length === 0 ? [`${path}: no example`] : lines.flatMap((line) => lineFaults({ line, path, command, program }));
  });
  return [...faults, ...orphans.map((path) => `${path}: no such command`)];
}

function lineFaults(at: { readonly line: string; readonly path: string; readonly command: Command; readonly program: Command }): string[] {
  const { line, path, command, program } = at;
  const own = line.slice(Math.max(0, line.indexOf(program.name()))).split(/ [|<>] /)[0] ?? '';
  const words = own.split(' ').filter((word) => !word.startsWith('-'));
  const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
  const flags = own.split(' ').filter((word) => word.startsWith('-') && word !== '-');
  return [
    ...(words.join(' ').includes(path) ? [] : [`${path}: ${line} shows another command`]),
    ...flags.filter((flag) => !known.includes(flag.split('=')[0])).map((flag) => `${path}: ${flag} is no flag of it`),
  ];
}

function leaves(program: Command, before = ''): { readonly path: string; readonly command: Command }[] {
  return program.commands.flatMap((command) => {
    const path = `${before}${command.name()}`;
    const children = leaves(command, `${path} `);
    // `aws` runs a program, and has commands of its own.
    return children.length === 0 || command.registeredArguments.length > 0 ? [{ path, command }, ...children] : children;
  });
}
