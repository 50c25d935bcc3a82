import { InvalidArgumentError } from 'commander';

const MAX_PORT = 65_535;

/** Of a flag. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > MAX_PORT) throw new InvalidArgumentError(`A port is a number up to ${MAX_PORT}.`);
  return value;
}
