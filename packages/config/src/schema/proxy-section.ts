import { z } from 'zod';
import { absolutePath, address, flag, hostPortText, notServed, oneOrMany, withoutEffect } from '#schema/fields.ts';
import { defaultPorts } from '#schema/teleport-section.ts';

/** Port 0 stands for "the port that the web listener has", and is filled in when that is known. */
const publicAddress = address({ port: 0 });

const otherPort = 'the proxy has one port, web_listen_addr; leave it out';

export const proxySection = z.strictObject({
  enabled: flag.optional(),
  web_listen_addr: address({ port: defaultPorts.web, host: '0.0.0.0' }).optional(),
  public_addr: oneOrMany(publicAddress).optional(),
  peer_public_addr: address({ port: defaultPorts.web }).transform(hostPortText).optional(),
  https_keypairs: z
    .array(z.strictObject({ key_file: absolutePath, cert_file: absolutePath }))
    .max(16)
    .nullish(),
  https_key_file: absolutePath.optional(),
  https_cert_file: absolutePath.optional(),
  https_keypairs_reload_interval: withoutEffect,
  acme: notServed('certificates from an ACME service are not supported; write their files in https_keypairs'),
  listen_addr: withoutEffect,
  tunnel_listen_addr: notServed(otherPort),
  ssh_public_addr: withoutEffect,
  tunnel_public_addr: withoutEffect,
  kube_listen_addr: notServed(otherPort),
  kube_public_addr: withoutEffect,
  postgres_listen_addr: notServed(otherPort),
  postgres_public_addr: withoutEffect,
  mysql_listen_addr: notServed(otherPort),
  mysql_public_addr: withoutEffect,
  mongo_listen_addr: notServed(otherPort),
  mongo_public_addr: withoutEffect,
  peer_listen_addr: notServed('proxies reach each other on web_listen_addr; write peer_public_addr'),
  proxy_protocol: notServed('is not supported'),
  trust_x_forwarded_for: notServed('is not supported: the address of a client is the one of its socket'),
  ui: withoutEffect,
});
