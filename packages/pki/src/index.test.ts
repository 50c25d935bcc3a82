import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

describe('importing @postern/pki', () => {
  it('loads neither the certificate writer nor gRPC: commands that need a pin or a ticket start at once', () => {
    const program = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      const { caPin, readTicket, createAuthority } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
      const before = loaded.join('\\n');
      await createAuthority({ kind: 'host', cluster: 'c', nowMs: Date.now() });
      console.log(JSON.stringify([before, loaded.join('\\n')]));
    `;
    const [before = '', after = ''] = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', cwd: new URL('..', import.meta.url) }),
    ) as string[];
    expect(before).not.toMatch(/@peculiar|reflect-metadata|grpc-js/);
    expect(after).toMatch(/@peculiar\/x509/);
  });
});
