const GLOBALS_WITH_VALUE = ['--proxy', '--user', '--ttl'];
const FLAGS_WITH_VALUE = ['--app', '--aws-role', '--exec'];
/** Asked of us, where they stand before what is passed on. */
const OWN_SWITCHES = ['-h', '--help', '-d', '--debug', '--insecure'];

/**
 * `tsh aws s3 ls --recursive` hands everything from `s3` on to another program, its flags too: `--` is put there, so that none of them is
 * read as one of ours. Every other command line stays as it is.
 */
export function withPassThrough(argv: readonly string[]): readonly string[] {
  const command = firstOperand(argv, { from: 0, valued: GLOBALS_WITH_VALUE });
  if (argv[command] !== 'aws') return argv;
  const program = firstOperand(argv, { from: command + 1, valued: [...FLAGS_WITH_VALUE, ...GLOBALS_WITH_VALUE] });
  if (program === argv.length || argv[program] === '--' || isOurConfigure(argv[program], argv[program + 1])) return argv;
  return [...argv.slice(0, program), '--', ...argv.slice(program)];
}

/** `configure` alone writes our profile; `configure list`, `configure get` and the others are the AWS CLI's. */
function isOurConfigure(command: string | undefined, next: string | undefined): boolean {
  return command === 'configure' && (next === undefined || next.startsWith('-'));
}

function firstOperand(argv: readonly string[], { from, valued }: { readonly from: number; readonly valued: readonly string[] }): number {
  let at = from;
  while (at < argv.length) {
    const word = argv[at] ?? '';
    if (valued.includes(word)) at += 2;
    else if (valued.some((flag) => word.startsWith(`${flag}=`)) || OWN_SWITCHES.includes(word)) at += 1;
    else return at;
  }
  return argv.length;
}
