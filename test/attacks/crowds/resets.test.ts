import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, dial, type Held, sessionName } from '@postern/test-harness/dial.ts';
import { callFrames, openHttp2, resetFrame } from '@postern/test-harness/http2-frames.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { loadOf } from '@postern/test-harness/process-load.ts';
import { AUTH, Crowd, TUNNEL } from '#crowds/crowd.ts';

const cannot = lacking('openssl');
const SOCKETS = 50;
const RATE = 900;
const TICK_MS = 20;
const FOR_MS = 8_000;

describe.skipIf(cannot !== undefined)('calls that are withdrawn as soon as they are made', () => {
  const crowd = new Crowd();
  beforeAll(() => crowd.open());
  afterAll(() => crowd.stage.cluster.stop());

  interface Flood {
    readonly sent: number;
    readonly cut: number;
  }
  /** Fifty connections, each at 900 a second; one that is cut is opened again a second later. */
  async function flood(to: { readonly serverName: string; readonly path: string; readonly held?: Held }, forMs: number): Promise<Flood> {
    const untilMs = performance.now() + forMs;
    let [sent, cut] = [0, 0];
    const one = async () => {
      while (performance.now() < untilMs) {
        const socket = await openHttp2({ port: crowd.port, ...to }).catch(() => undefined);
        if (socket) sent += await withdraw(socket, to.path, untilMs);
        if (performance.now() < untilMs) cut += 1;
        socket?.destroy();
        await delay(1_000);
      }
    };
    await Promise.all(Array.from({ length: SOCKETS }, one));
    return { sent, cut };
  }

  it('ED-11 cost auth and the proxy little, and somebody signs in beside them', async () => {
    const flooding = flood({ serverName: AUTH, path: '/postern.v1.Login/SignIn' }, FOR_MS);
    const [proxy, auth] = [loadOf(crowd.proxyPid), loadOf(crowd.authPid)];
    const startedMs = performance.now();
    const tookMs: number[] = [];
    while (performance.now() - startedMs < FOR_MS - 2_000) {
      tookMs.push(await crowd.loginMs());
      await delay(3_000);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    const share = (pid: number, before: number) => (loadOf(pid).cpuSeconds - before) / seconds;
    const [proxyShare, authShare] = [share(crowd.proxyPid, proxy.cpuSeconds), share(crowd.authPid, auth.cpuSeconds)];
    const { sent, cut } = await flooding;
    console.log(
      `${sent} calls withdrawn, ${cut} connections cut; proxy ${proxyShare.toFixed(2)} and auth ${authShare.toFixed(2)} of a core; tsh login at most ${Math.max(...tookMs).toFixed(0)} ms`,
    );
    expect(cut).toBeGreaterThan(SOCKETS * 2);
    expect(proxyShare).toBeLessThan(0.6);
    expect(Math.max(...tookMs)).toBeLessThan(crowd.patienceMs);
  });

  it('ED-11 are cut at the door of the tunnels', async () => {
    const held = await crowd.host('taken');
    const socket = await openHttp2({ port: crowd.port, serverName: TUNNEL, held });
    const sent = await withdraw(socket, '/postern.v1.ReverseTunnel/Carry', performance.now() + 20_000);
    expect(socket.destroyed).toBe(true);
    expect(sent).toBeLessThan(6_000);
  });

  it('ED-11 are cut at an agent, and another session of it goes on', async () => {
    const session = await crowd.session();
    const serverName = sessionName(session.issued.ticket);
    const socket = await openHttp2({ port: crowd.port, serverName, held: session });
    const sent = await withdraw(socket, '/postern.v1.AgentSession/Connect', performance.now() + 20_000);
    expect(socket.destroyed).toBe(true);
    expect(sent).toBeLessThan(6_000);
    const other = await crowd.session();
    const client = dial(crowd.stage.cluster.proxy, sessionName(other.issued.ticket), crowd.hostCas, other);
    expect(await ask(client, 8000)).toMatch(/^HTTP\/1\.1 200/);
    client.close();
  });
});

/** Calls and withdraws until the time is over or the connection is; resolves with how many were sent. */
async function withdraw(socket: TLSSocket, path: string, untilMs: number): Promise<number> {
  let sent = 0;
  const startedMs = performance.now();
  while (!socket.destroyed && performance.now() < untilMs) {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * RATE);
    const frames: Buffer[] = [];
    for (; sent < due; sent++) frames.push(callFrames(1 + 2 * sent, path), resetFrame(1 + 2 * sent));
    socket.write(Buffer.concat(frames));
    await delay(TICK_MS);
  }
  return sent;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
