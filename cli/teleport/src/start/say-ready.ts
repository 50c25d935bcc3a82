import type { Health, Logger } from '@postern/telemetry';

const LOOK_EVERY_MS = 250;
const LOOK_LATER_MS = 5_000;
/** An agent joins its tunnels in a second or two; what takes longer is for somebody to look at. */
const PATIENCE_MS = 10_000;

/**
 * Says `ready` once every part is, as /readyz does, and after ten seconds what is missing still. Returns what ends it.
 */
export function sayReady(health: Health, logger: Logger): () => void {
  const startedMs = performance.now();
  let told = false;
  let over = false;
  const look = async () => {
    const { ok, checks } = await health.report('ready');
    if (over) return;
    if (ok) return logger.info({ pid: process.pid }, 'ready');
    if (!told && performance.now() - startedMs >= PATIENCE_MS) {
      told = true;
      const missing = Object.entries(checks).flatMap(([part, check]) => (check.ok ? [] : [`${part}: ${check.reason ?? 'not ready'}`]));
      logger.warn({ pid: process.pid, reason: missing.join('; ') }, 'has started, and is not ready yet');
    }
    timer = setTimeout(() => void look(), told ? LOOK_LATER_MS : LOOK_EVERY_MS).unref();
  };
  let timer: NodeJS.Timeout | undefined;
  void look();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
