import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, isListening, until } from '@postern/test-harness/processes.ts';

export interface NginxHop {
  readonly port: number;
  readonly daemon: Daemon;
}

/** One hop of nginx, TLS on both sides, set up to hand on what comes: nothing is held, nothing is written, connections are kept. */
export async function openNginxHop(cluster: Cluster, upstreamPort: number): Promise<NginxHop> {
  const port = await freePort();
  const dir = join(cluster.dir, 'nginx');
  mkdirSync(dir);
  writeFileSync(join(dir, 'nginx.conf'), config({ dir, certificates: cluster.dir, port, upstreamPort }));
  const daemon = cluster.daemon('nginx', ['/usr/sbin/nginx', '-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr']);
  await until('nginx to listen', 10_000, async () => ((await isListening(port)) ? true : undefined));
  return { port, daemon };
}

interface Config {
  readonly dir: string;
  readonly certificates: string;
  readonly port: number;
  readonly upstreamPort: number;
}

const config = ({ dir, certificates, port, upstreamPort }: Config) => `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
pid ${join(dir, 'nginx.pid')};
worker_processes auto;
events { worker_connections 1024; }
http {
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${join(dir, kind)};`).join('\n')}
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 120s;
  client_max_body_size 0;
  upstream aws {
    server localhost:${upstreamPort};
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_certificate ${join(certificates, 'web-cert.pem')};
    ssl_certificate_key ${join(certificates, 'web-key.pem')};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass https://aws;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 4 64k;
      client_body_buffer_size 64k;
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_ssl_trusted_certificate ${join(certificates, 'web-ca.pem')};
    }
  }
}
`;
