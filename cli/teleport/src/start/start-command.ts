import { createWriteStream, rmSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { PosternError } from '@postern/api/errors';
import { type LogConfig, readTeleportConfig, type TeleportConfig } from '@postern/config';
import { createLogger, createMetrics, Health, type Logger, type Metrics, processMetrics, serveDiagnostics } from '@postern/telemetry';
import { type Running, stopAll } from '#start/running.ts';
import { sayReady } from '#start/say-ready.ts';
import { addressText, startServices } from '#start/start-services.ts';
import { UsageError } from '@postern/terminal/usage-error';

export interface StartFlags {
  readonly config?: string;
  /** The configuration itself, where it was made from flags. */
  readonly text?: string;
  readonly diagAddr?: string;
  readonly pidFile?: string;
  readonly insecure?: boolean;
  readonly debug?: boolean;
}
const DEFAULT_CONFIG = '/etc/teleport.yaml';
const DRAIN_MS = 30_000;
const UNCAUGHT = 'uncaught error';

/** Runs until SIGTERM or SIGINT, then drains; a second signal ends it at once, and so does one while it still starts. */
export async function startCommand(flags: StartFlags): Promise<void> {
  const file = flags.config ?? process.env['TELEPORT_CONFIG_FILE'] ?? DEFAULT_CONFIG;
  const config = readTeleportConfig(flags.text === undefined ? { file } : { file: 'flags', text: flags.text });
  const destination = destinationOf(config.log);
  const logger = createLogger({
    service: 'teleport',
    level: flags.debug === true ? 'debug' : config.log.severity,
    format: config.log.format,
    ...(destination === undefined ? {} : { destination }),
  });
  checkEveryCertificate(logger);
  const stopping = stopSignal(logger);
  const alive = stayAlive();
  try {
    await runUntil(stopping, { flags, config, logger });
  } finally {
    clearInterval(alive);
  }
}

interface Start {
  readonly flags: StartFlags;
  readonly config: TeleportConfig;
  readonly logger: Logger;
}

async function runUntil(stopping: Promise<string>, { flags, config, logger }: Start): Promise<void> {
  const metrics = createMetrics();
  const starting = startServices({ config, logger, metrics, env: process.env, insecure: flags.insecure === true });
  const running = await Promise.race([starting, stopping.then(() => undefined)]);
  if (running === undefined) throw new PosternError('internal', 'stopped before everything had started');
  const health = healthOf(running);
  const address = flags.diagAddr ?? (config.diagAddress === undefined ? undefined : addressText(config.diagAddress));
  const diagnostics = address === undefined ? undefined : await serveHealth(health, address, { logger, metrics });
  if (flags.pidFile !== undefined) writeFileSync(flags.pidFile, `${process.pid}\n`);
  const sayNoMore = sayReady(health, logger);
  const reason = await stopping;
  sayNoMore();
  logger.info({ reason }, 'stopping');
  try {
    await drained(running);
    await diagnostics?.stop();
    logger.info({}, 'stopped');
    if (reason === UNCAUGHT) throw new PosternError('internal', 'stopped after an error that nobody caught: the log has it');
  } finally {
    if (flags.pidFile !== undefined) rmSync(flags.pidFile, { force: true });
  }
}

/**
 * A service ends when it is told to, and not because nothing of it happens to be waited for: an agent that starts while auth is away has
 * no connection, and its next try is a timer that holds no process. It ended so, with exit code 13 and no word.
 */
function stayAlive(): NodeJS.Timeout {
  const LONGEST_INTERVAL_MS = 2 ** 31 - 1;
  return setInterval(() => undefined, LONGEST_INTERVAL_MS);
}

/** What a shell behind somebody's proxy often says would hold for whatever library asks Node for TLS. */
function checkEveryCertificate(logger: Logger): void {
  if (process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === undefined) return;
  delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  logger.warn(
    {},
    'NODE_TLS_REJECT_UNAUTHORIZED is not heeded: every certificate is checked. NODE_EXTRA_CA_CERTS names an authority of your own',
  );
}

/** A signal, or an error that nobody caught: what it broke is unknown, so that the process ends, after what is durable has been written. */
function stopSignal(logger: Logger): Promise<string> {
  const AT_ONCE_EXIT_CODE = 1;
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(AT_ONCE_EXIT_CODE);
        asked = true;
        resolve(signal);
      });
    }
    process.on('uncaughtException', (err) => {
      logger.error({ err }, 'an error that nobody caught');
      resolve(UNCAUGHT);
    });
  });
}

async function drained(running: Running): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new PosternError('internal', `some connections were still open after ${DRAIN_MS / 1000} s: they were cut`)),
      DRAIN_MS,
    );
  });
  await Promise.race([stopAll(running), late]).finally(() => clearTimeout(timer));
}

function healthOf(running: Running): Health {
  const health = new Health();
  for (const [name, part] of Object.entries(running)) {
    health.add({ name, decides: 'ready', check: () => (part as NonNullable<Running['auth']>).ready() });
  }
  return health;
}

async function serveHealth(health: Health, address: string, { logger, metrics }: { readonly logger: Logger; readonly metrics: Metrics }) {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined) throw new UsageError(`--diag-addr: "${address}" is not host:port`);
  processMetrics(metrics);
  const server = await serveDiagnostics({ health, metrics, host: host.replace(/^\[|\]$/g, ''), port: Number(port) });
  logger.info({ component: 'diagnostics', listenAddress: `${server.address.host}:${server.address.port}` }, 'diagnostics have started');
  return server;
}

/** Undefined is stderr, where log lines go unless the file says otherwise. */
function destinationOf({ output }: LogConfig): Writable | undefined {
  if (output === 'stderr') return undefined;
  return output === 'stdout' ? process.stdout : createWriteStream(output.file, { flags: 'a', mode: 0o600 });
}
