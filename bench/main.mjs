// npm run bench -- [SHAPE ...] [flags]: the shapes that are named, or all but the long ones. README.md says how to read them.
import { parseArgs } from 'node:util';
import { buildCommands } from '../scripts/build.mjs';
import { say } from './report.mjs';

/** Each is a module that exports `options` (flags of its own, as parseArgs takes them), `run(flags)` and `print(found)`. */
const shapes = {
  requests: { load: () => import('./requests.mjs') },
  certs: { load: () => import('./certs.mjs') },
  audit: { load: () => import('./audit.mjs') },
  bulk: { load: () => import('./bulk.mjs') },
  agents: { load: () => import('./agents.mjs'), long: true },
};

const chosen = process.argv.slice(2).filter((word) => !word.startsWith('-'));
for (const name of chosen)
  if (!Object.hasOwn(shapes, name)) fail(`no shape is called ${name}: there are ${Object.keys(shapes).join(', ')}`);
const names = chosen.length > 0 ? chosen : Object.keys(shapes).filter((name) => shapes[name].long !== true);
const modules = await Promise.all(names.map((name) => shapes[name].load()));
const { values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    json: { type: 'boolean', default: false },
    chain: { type: 'string', default: 'nginx' },
    against: { type: 'string' },
    profile: { type: 'string' },
    ...Object.assign({}, ...modules.map((module) => module.options)),
  },
});
if (flags.help) {
  const own = modules.flatMap(({ options }, at) =>
    Object.keys(options).map((name) => `  --${name}  (${names[at]}; ${options[name].default})`),
  );
  const shapesSaid = Object.entries(shapes).map(([name, { long }]) => (long === true ? `${name} (only where it is named)` : name));
  say(
    `npm run bench -- [SHAPE ...] [flags]\n\nshapes: ${shapesSaid.join(', ')}\nflags of all:\n  --json  --chain=nginx|stunnel|both|none  --against=CLI_FOLDER  --profile=FOLDER`,
  );
  say(
    `flags of one:\n${own.join('\n')}\n\nexamples:\n  npm run bench -- requests --bytes=300\n  npm run bench -- agents --agents=5000\n\nbench/README.md says how to read what it prints.`,
  );
  process.exit(0);
}
if (!['nginx', 'stunnel', 'both', 'none'].includes(flags.chain)) fail(`--chain is nginx, stunnel, both or none, not ${flags.chain}`);

await buildCommands();
const found = {};
for (const [at, name] of names.entries()) {
  say(`${name}:`);
  found[name] = await modules[at].run(flags);
  if (!flags.json) modules[at].print(found[name]);
}
if (flags.json) process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);

function fail(text) {
  say(text);
  process.exit(2);
}
