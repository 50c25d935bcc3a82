import { expect, it } from 'vitest';
import { OwnHosts } from '#proxy-aws/own-hosts.ts';

const OWN = 'a1b2c3d4e5.execute-api.us-east-1.amazonaws.com';

function asking(answer: () => readonly string[]) {
  const now = { ms: 0 };
  const unknown: string[] = [];
  let asked = 0;
  const describe = () => {
    asked += 1;
    return new Promise<{ readonly ownHosts: readonly string[] }>((resolve) => resolve({ ownHosts: answer() }));
  };
  const hosts = new OwnHosts({ describe, onUnknown: (error) => unknown.push(String(error)), nowMs: () => now.ms });
  return { hosts, now, unknown, asked: () => asked };
}

it('asks an agent once for all connections, and again after a minute', async () => {
  let named: readonly string[] = [OWN];
  const { hosts, now, asked } = asking(() => named);
  expect(await Promise.all([hosts.has(OWN), hosts.has(OWN), hosts.has(`x.${OWN}`)])).toEqual([true, true, false]);
  named = [];
  now.ms = 59_999;
  expect([await hosts.has(OWN), asked()]).toEqual([true, 1]);
  now.ms = 60_000;
  expect([await hosts.has(OWN), asked()]).toEqual([false, 2]);
});

it('says that nobody answered, keeps nobody waiting for it each time, and asks again soon', async () => {
  let isAway = true;
  const { hosts, now, asked, unknown } = asking(() => {
    if (isAway) throw new Error('nobody answers');
    return [OWN];
  });
  expect([await hosts.has(OWN), await hosts.has(OWN), asked(), unknown]).toEqual([false, false, 1, ['Error: nobody answers']]);
  isAway = false;
  now.ms = 10_000;
  expect([await hosts.has(OWN), asked()]).toEqual([true, 2]);
});

it('believes an agent nothing of hosts that stand elsewhere, and does not ask it', async () => {
  const elsewhere = ['github.com', 'evilamazonaws.com', 'amazonaws.com', 'a.amazonaws.com.evil.example'];
  const { hosts, asked } = asking(() => elsewhere);
  expect(await Promise.all(elsewhere.map((host) => hosts.has(host)))).toEqual([false, false, false, false]);
  expect(asked()).toBe(0);
});
