// The public end of the chain, which ends TLS: nginx as an HTTP proxy that keeps its connections, or stunnel, which carries bytes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, isListening, until } from '../../test/harness/processes.ts';

/** Each starts with { dir, daemon, key, cert, targetPort } and resolves with the port that speaks TLS. */
export const tlsEnds = { nginx: startNginx, stunnel: startStunnel };

async function startNginx({ dir, daemon, key, cert, targetPort }) {
  const port = await freePort();
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'nginx.conf'), nginxConfig({ dir, key, cert, port, targetPort }));
  daemon('nginx', ['/usr/sbin/nginx', '-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr']);
  return listening('nginx', port);
}

async function startStunnel({ dir, daemon, key, cert, targetPort }) {
  const port = await freePort();
  mkdirSync(dir, { recursive: true });
  const lines = [
    'foreground = yes',
    'pid =',
    'syslog = no',
    'debug = err',
    'socket = l:TCP_NODELAY=1',
    'socket = r:TCP_NODELAY=1',
    '[chain]',
    `accept = 127.0.0.1:${port}`,
    `connect = 127.0.0.1:${targetPort}`,
    `key = ${key}`,
    `cert = ${cert}`,
  ];
  writeFileSync(join(dir, 'stunnel.conf'), `${lines.join('\n')}\n`);
  daemon('stunnel', ['stunnel', join(dir, 'stunnel.conf')]);
  return listening('stunnel', port);
}

/** Nothing is written per request, and no answer touches the disk; a worker a processor, as distributions set it. */
function nginxConfig({ dir, key, cert, port, targetPort }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${join(dir, kind)};`);
  return `${process.getuid() === 0 ? 'user root;\n' : ''}daemon off;
pid ${join(dir, 'nginx.pid')};
worker_processes auto;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 120s;
  keepalive_requests 100000000;
  client_max_body_size 32m;
  client_body_buffer_size 64k;
  upstream signer {
    server 127.0.0.1:${targetPort};
    keepalive 256;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    location / {
      proxy_pass http://signer;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffers 32 16k;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

async function listening(name, port) {
  await until(`${name} to listen`, 10_000, async () => ((await isListening(port)) ? true : undefined));
  return port;
}
