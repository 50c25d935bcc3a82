// Runs named steps one after another, each as a command; prints one line a step and the whole output of one that fails.
import { spawn } from 'node:child_process';

/** @param {readonly { name: string; command: readonly string[]; cwd?: string; show?: boolean }[]} steps */
export async function runSteps(steps) {
  const failed = [];
  for (const step of steps) {
    const started = performance.now();
    const { code, output } = await run(step);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${seconds} s)`);
    if (code !== 0) {
      failed.push(step.name);
      if (!step.show) console.log(output);
    }
  }
  if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
  return failed.length === 0;
}

function run({ command, cwd, show }) {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { cwd, stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'] });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: `${program}: ${error.message}` }));
    child.on('exit', (code) => resolve({ code: code ?? 1, output }));
  });
}
