import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGrpcTlsServer } from '#grpc-tls-server.ts';
import { RawConnection, type RawConnectionOptions } from '#raw-call/raw-connection.ts';
import { authority, connectService } from '#testing/echo.ts';
import { testAuthority } from '#testing/certificates.ts';

const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0)) await stop();
  vi.unstubAllEnvs();
});

async function dialled(issuer: ReturnType<typeof testAuthority>, checkServer: RawConnectionOptions['checkServer']): Promise<RawConnection> {
  const server = createGrpcTlsServer({ tls: { ...issuer.issue('server.test') }, services: [connectService(() => undefined)] });
  const listener = createServer((socket) => server.acceptSocket(socket, { remoteAddress: 'peer' }));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const connection = new RawConnection({ address, serverName: 'server.test', context: { ca: authority.caPem }, checkServer });
  toStop.push(
    () => connection.end(),
    () => server.stop(),
    () => listener.close(),
  );
  return connection;
}

describe.each(['1', '0'])('a server whose identity is looked at where NODE_TLS_REJECT_UNAUTHORIZED is %s', (said) => {
  beforeEach(() => void vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', said));

  it('is taken by the certificate that it showed', async () => {
    const seen: string[] = [];
    const connection = await dialled(authority, (_host, { subject }) => void seen.push(subject));
    await connection.ready;
    expect(seen).toEqual(['CN=server.test']);
  });

  it('is not taken where it is not the one that is expected', async () => {
    const connection = await dialled(authority, () => new Error('it is another'));
    await expect(connection.ready).rejects.toThrow('it is another');
    expect(connection.isReady).toBe(false);
  });

  it('is not taken where another authority vouches for it', async () => {
    const connection = await dialled(testAuthority(), () => undefined);
    await expect(connection.ready).rejects.toThrow(/self.signed|unable to (?:get|verify)/);
    expect(connection.isReady).toBe(false);
  });
});
