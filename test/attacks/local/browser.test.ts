import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HostilePages, servePages, serveRebound } from './hostile-pages.ts';

const cannot = lacking('openssl', 'chromium');
/** Another address of this machine, on which tsh does not listen. */
const ELSEWHERE = '127.0.0.2';

describe.skipIf(cannot !== undefined)('a browser that has a hostile page open', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let port = 0;
  let tsh: Daemon;
  let pages: HostilePages;
  let stopRebound: () => void = () => undefined;
  let browsers = 0;

  function browse(url: string): Daemon {
    const profile = join(cluster.dir, `chromium-${browsers++}`);
    mkdirSync(profile);
    const rules = `MAP evil.example 127.0.0.1, MAP rebound.example ${ELSEWHERE}`;
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-dev-shm-usage',
      `--user-data-dir=${profile}`,
    ];
    return cluster.daemon(`browser-${browsers}`, ['chromium', ...flags, `--host-resolver-rules=${rules}`, url]);
  }
  /** All that a page told, up to its last word. */
  async function visit(url: string, host: string): Promise<readonly { readonly what: string; readonly got: string }[]> {
    const from = pages.attempts.length;
    const browser = browse(url);
    const told = await until(`the page at ${url} to be done:\n`, 45_000, () => {
      const own = pages.attempts.slice(from);
      return own.some(({ what, got }) => what === 'done' && got === host) ? own : undefined;
    });
    await browser.stop('SIGKILL');
    return told.filter(({ what }) => what !== 'done');
  }

  beforeAll(async () => {
    await stage.open();
    await stage.attached(stage.agent('agent'));
    ({ port, daemon: tsh } = await stage.tunnel());
    pages = await servePages(port);
    stopRebound = await serveRebound({ address: ELSEWHERE, victimPort: port, reportTo: `http://evil.example:${pages.port}` });
  });
  afterAll(async () => {
    stopRebound();
    pages.close();
    await cluster.stop();
  });

  it('CL-01 sends nothing through the local port from a page of another site', async () => {
    const before = cluster.dynamoDbAtAws().length;
    const attempts = await visit(`http://evil.example:${pages.port}/`, `evil.example:${pages.port}`);
    expect(attempts).toHaveLength(16);
    for (const { what, got } of attempts)
      expect([what, got]).toEqual([what, expect.stringMatching(/^(error|opaque|true|kept away)/) as unknown]);
    expect(JSON.stringify(attempts)).not.toContain('TableNames');
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
    expect(tsh.log().match(/refused a local connection/g)?.length ?? 0).toBeGreaterThan(5);
    expect((await getItem(port)).status).toBe(200);
  });

  it('CL-01 is refused by a name that was bound anew to this machine, though the page is then of the same origin', async () => {
    const before = cluster.dynamoDbAtAws().length;
    const attempts = await visit(`http://rebound.example:${port}/page`, `rebound.example:${port}`);
    expect(attempts.map(({ what }) => what)).toEqual(['rebound post', 'rebound get', 'rebound form']);
    for (const { what, got } of attempts)
      expect([what, got]).toEqual([what, expect.stringMatching(/^basic 403 .*AccessDenied/s) as unknown]);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
    expect((await getItem(port)).status).toBe(200);
  });
});
