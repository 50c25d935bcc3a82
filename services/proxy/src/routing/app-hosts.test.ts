import { expect, it } from 'vitest';
import { appHosts } from '#routing/app-hosts.ts';

const app = (name: string, spec: object = {}, status?: object) => ({
  kind: 'app_server',
  metadata: { name },
  spec: { host_id: 'h', app: { spec, ...(status === undefined ? {} : { status }) } },
});

it('AP-05 is a host name of one application alone, and never the proxy’s own', () => {
  const hosts = (...servers: readonly ReturnType<typeof app>[]) => Object.fromEntries(appHosts(servers, ['proxy.example', 'p1.example']));
  expect(hosts(app('aws'), app('aws'), app('prod', { public_addr: 'AWS.shop.example' }))).toEqual({
    'aws.proxy.example': 'aws',
    'aws.p1.example': 'aws',
    'aws.shop.example': 'prod',
    'prod.proxy.example': 'prod',
    'prod.p1.example': 'prod',
  });
  expect(hosts(app('aws', { public_addr: 'x.example' }), app('prod', { public_addr: 'aws.proxy.example' }))).toMatchObject({
    'x.example': 'aws',
    'aws.proxy.example': 'prod',
    'aws.p1.example': 'aws',
    'prod.proxy.example': 'prod',
  });
  expect(hosts(app('aws', { public_addr: 'proxy.example' }), app('b', { public_addr: 'Proxy.Example' }))).not.toHaveProperty([
    'proxy.example',
  ]);
  expect(hosts(app('a', { public_addr: 'x.example' }), app('b', { public_addr: 'x.example' }))).not.toHaveProperty(['x.example']);
  expect(hosts(app('aws', {}, { refused: 'held by another' }))).toEqual({});
  expect(Object.keys(Object.fromEntries(appHosts([{ ...app('aws'), kind: 'db_server' }], ['proxy.example'])))).toEqual([]);
});
