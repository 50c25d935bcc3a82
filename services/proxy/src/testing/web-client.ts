import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { RunningProxy } from '#index.ts';

export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  readonly location: string;
}

export interface WebRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly serverName?: string;
}

/** A browser without a person before it: it keeps cookies and sends what browsers send with a form, unless a test says otherwise. */
export class WebClient {
  readonly cookies = new Map<string, string>();
  readonly #proxy: RunningProxy;
  readonly #host: string;
  constructor(proxy: RunningProxy, host: string) {
    this.#proxy = proxy;
    this.#host = host;
  }

  async get(path: string, options: WebRequest = {}): Promise<WebAnswer> {
    return this.send(path, options);
  }

  /** Fetches the page, and sends its form with the token that it holds. */
  async submit(page: string, path: string, form: Readonly<Record<string, string>>, options: WebRequest = {}): Promise<WebAnswer> {
    const { body } = await this.get(page);
    const token = /name="_csrf" value="([^"]+)"/.exec(body)?.[1] ?? '';
    return this.send(path, { ...options, form: { _csrf: token, ...form } });
  }

  async signIn(user: string, password: string, redirect = '/web'): Promise<WebAnswer> {
    return this.submit(`/web/login?redirect=${encodeURIComponent(redirect)}`, '/web/login', { user, password, redirect });
  }

  send(path: string, { method, headers = {}, form, serverName = this.#host.split(':')[0] ?? '' }: WebRequest): Promise<WebAnswer> {
    const body = form === undefined ? undefined : new URLSearchParams(form).toString();
    const agent = new Agent({ rejectUnauthorized: false, servername: serverName });
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = {
      host: this.#host,
      ...(cookie === '' ? {} : { cookie }),
      ...(body === undefined
        ? {}
        : { origin: `https://${this.#host}`, 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }),
      ...headers,
    };
    const { host, port } = this.#proxy.address;
    return new Promise((resolve, reject) => {
      const req = request({ agent, host, port, path, method: method ?? (body === undefined ? 'GET' : 'POST'), headers: sent }, (res) => {
        this.#keep(res.headers['set-cookie'] ?? []);
        const answer = text(res).then((page) => ({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: page,
          location: res.headers.location ?? '',
        }));
        resolve(answer.finally(() => agent.destroy()));
      });
      req.on('error', reject).end(body);
    });
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || /Max-Age=0|Expires=Thu, 01 Jan 1970/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}
