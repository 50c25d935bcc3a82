import { createServer } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { RefusalReports } from '#outbound/report-refusals.ts';

describe('refusals on their way to auth', () => {
  it('are kept while auth does not answer, a hundred and twenty a minute, and the rest is a number', async () => {
    let nowMs = Date.parse('2026-01-01T00:00:00Z');
    const reports = new RefusalReports({ hostId: 'p', nowMs: () => nowMs });
    const refusal = { clientAddress: '192.0.2.1:1', reason: 'no certificate', door: 'tunnel' } as const;
    for (let n = 0; n < 1_000; n += 1) reports.add(refusal);
    expect(reports.waiting).toHaveLength(120);
    nowMs += 60_000;
    reports.add(refusal);
    expect(JSON.parse(reports.waiting.at(-1)?.fieldsJson.toString() ?? '')).toMatchObject({ refusals_not_recorded: 880, door: 'tunnel' });
    const nobody = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => nobody.once('listening', resolve));
    const address = nobody.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const stopping = new AbortController();
    let failed = 0;
    await reports.keepSending({
      openAuth: () => new Client(`127.0.0.1:${port}`, credentials.createInsecure()),
      signal: stopping.signal,
      onFailed: () => {
        failed += 1;
        stopping.abort();
      },
    });
    nobody.close();
    expect([failed, reports.waiting.length]).toEqual([1, 121]);
  });
});
