import type { Key } from 'node:readline';
import type { Readable } from 'node:stream';
import { requirePassword } from '@postern/api/password-rule';
import { UsageError } from '#usage-error.ts';

const MAX_SECRET_BYTES = 4096;

/** Asked for on the terminal without an echo; the question goes to stderr, so that stdout stays data. */
export async function askHidden(question: string, input: Readable = process.stdin): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts');
  // Some terminals (docker exec, expect) say that they are 0 wide: the question would then be drawn one letter a line.
  if (process.stderr.columns === 0) process.stderr.columns = 80;
  // Ctrl-D closes the line reader below the prompt, which then would never answer.
  const stop = new AbortController();
  const onKey = (_: string | undefined, key: Key) => {
    if (key.ctrl === true && key.name === 'd') stop.abort();
  };
  const onEnd = () => stop.abort();
  input.on('keypress', onKey).once('end', onEnd);
  try {
    const answer = await password({ message: question, input, output: process.stderr, signal: stop.signal });
    if (isCancel(answer)) throw new UsageError('stopped before a password was given');
    return answer;
  } finally {
    input.off('keypress', onKey).off('end', onEnd);
  }
}

/** The first line of standard input, without its line break. Never more than 4 KiB is kept. */
export async function readSecretLine(input: NodeJS.ReadableStream = process.stdin): Promise<string> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of input) {
    bytes = Buffer.concat([bytes, Buffer.from(chunk as Buffer)]);
    if (bytes.includes(0x0a)) break;
    if (bytes.length > MAX_SECRET_BYTES) throw new UsageError(`the password on standard input is longer than ${MAX_SECRET_BYTES} bytes`);
  }
  return (bytes.toString('utf8').split('\n')[0] ?? '').replace(/\r$/, '');
}

export interface NewPassword {
  readonly fromStdin: boolean;
  readonly user: string;
}

/** A new password: from standard input where the flag says so, else asked for twice. */
export async function newPassword(options: NewPassword): Promise<string> {
  if (options.fromStdin) {
    const password = await readSecretLine();
    if (password === '') throw new UsageError('--password-stdin was given and standard input is empty');
    return password;
  }
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('there is no terminal to ask for a password: give it on standard input with --password-stdin');
  }
  return askTwice(options.user);
}

/** Nobody types a second time what auth would refuse. */
export async function askTwice(user: string, input: Readable = process.stdin): Promise<string> {
  const first = await askHidden(`New password for ${user}:`, input);
  requirePassword(first);
  const second = await askHidden('The same again:', input);
  if (first !== second) throw new UsageError('the two passwords differ: nothing was changed');
  return first;
}
