// npm run format: writes what `npm run check` asks for.
import { runSteps } from './run-steps.mjs';

process.exit((await runSteps([{ name: 'format', command: ['biome', 'format', '--write', '.'] }])) ? 0 : 1);
