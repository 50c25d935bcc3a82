import { Identity_Kind } from '@postern/api';
import { expect, it } from 'vitest';
import { WatchingHosts } from '#watch/watching-hosts.ts';

it('counts a host until the last of its watches has ended, and has proxies back before agents', () => {
  const watching = new WatchingHosts();
  const leave = Array.from({ length: 2_000 }, (_, i) => watching.enter(`host-${i % 1_000}`));
  expect(watching.toldTo(Identity_Kind.DB_AGENT)).toEqual({ spreadMs: 9_000, quietMs: 9_000 });
  expect(watching.toldTo(Identity_Kind.APP_AGENT)).toEqual({ spreadMs: 9_000, quietMs: 9_000 });
  expect(watching.toldTo(Identity_Kind.PROXY)).toEqual({ spreadMs: 5_000, quietMs: 9_000 });
  for (const end of leave.splice(0, 1_500)) end();
  expect(watching.quietMs).toBe(4_500);
  for (const end of leave) end();
  expect(watching.toldTo(Identity_Kind.PROXY)).toEqual({ spreadMs: 0, quietMs: 0 });
});
