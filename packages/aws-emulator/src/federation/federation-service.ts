import type { CredentialBook } from '#credential-book.ts';
import { type RequestHead, header, hostOf, splitTarget } from '#exchange/request-head.ts';
import type { Call, Logged, Service } from '#exchange/service.ts';
import { consolePage, signedOutPage } from '#federation/console-page.ts';
import { getSigninToken, refusal, sessionCredentials } from '#federation/get-signin-token.ts';
import { login } from '#federation/login.ts';
import { SignIns } from '#federation/sign-ins.ts';
import { type SigninHost, signinHost } from '#hosts/signin-host.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

const cookieName = 'aws-console-session';
const secretParameters: readonly string[] = ['Session', 'SigninToken'];

/** Console sign-in: the federation endpoint, the console and logging out, over the hosts of all partitions. */
export class Federation {
  readonly #signIns = new SignIns();
  readonly #book: CredentialBook;
  readonly #maxSessionSeconds: (roleArn: string) => number;

  constructor({ book, maxSessionSeconds }: { readonly book: CredentialBook; readonly maxSessionSeconds: (roleArn: string) => number }) {
    this.#book = book;
    this.#maxSessionSeconds = maxSessionSeconds;
  }

  readonly signin: Service = {
    protocol: () => ({ kind: 'html' }),
    operationOf: (head, _, body) => {
      const action = parametersOf(head, body).get('Action') ?? '';
      return /^\w{1,40}$/u.test(action) ? action : '';
    },
    anonymous: () => true,
    answer: (call) => this.#signin(call),
    logged: (call) => this.#logged(call),
    shownTarget: withoutSecrets,
  };

  readonly console: Service = {
    protocol: () => ({ kind: 'html' }),
    operationOf: () => 'ShowConsole',
    anonymous: () => true,
    answer: (call) => this.#console(call),
  };

  #signin(call: Call): Answer {
    const { path } = splitTarget(call.head);
    const parameters = parametersOf(call.head, call.body);
    if (path === '/oauth' && call.operation === 'logout') return this.#logout(call, parameters.get('redirect_uri'));
    if (path !== '/federation') throw new AwsError('NotFound', `There is nothing at ${path}.`, 404);
    if (call.operation === 'getSigninToken') {
      const { nowMs } = call;
      const context = { book: this.#book, signIns: this.#signIns, maxSessionSeconds: this.#maxSessionSeconds, nowMs };
      const token = getSigninToken(parameters, { ...context, partition: placeOf(call.head)?.partition });
      return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ SigninToken: token })) };
    }
    if (call.operation !== 'login') throw refusal(`Action ${call.operation} is not one of getSigninToken and login`);
    const { session, destination } = login(parameters, { signIns: this.#signIns, nowMs: call.nowMs, cookie: cookieOf(call.head) });
    // At the emulator's own address the console is there as well: nobody is sent on to AWS itself.
    const location = placeOf(call.head) === undefined ? destination.pathname + destination.search : destination.href;
    return redirect(location, { 'set-cookie': cookie(call, session) });
  }

  #console(call: Call): Answer {
    const { path } = splitTarget(call.head);
    const found = this.#signIns.find(cookieOf(call.head));
    if (path.endsWith('/logout!doLogout')) return this.#logout(call, undefined);
    if (found !== undefined && call.nowMs >= found.expiresMs && found.issuer !== '') return redirect(found.issuer, {});
    if (found === undefined || call.nowMs >= found.expiresMs)
      return html(401, signedOutPage('No session of the console comes with this request, or it has ended.'));
    return html(200, consolePage(found, { target: call.head.target, nowMs: call.nowMs }));
  }

  #logout(call: Call, redirectTo: string | undefined): Answer {
    this.#signIns.end(cookieOf(call.head));
    const ended = { 'set-cookie': `${cookie(call, '')}; Max-Age=0` };
    const place = placeOf(call.head);
    // Only the regional host goes where it is told to, and only to a place of AWS itself.
    const goesOn = redirectTo !== undefined && URL.canParse(redirectTo) && (place?.prefix !== '' || place.partition !== 'aws');
    if (goesOn && signinHost(new URL(redirectTo).hostname) !== undefined) return redirect(redirectTo, ended);
    const page = html(200, signedOutPage('You have signed out.'));
    return { ...page, headers: { ...page.headers, ...ended } };
  }

  /** Role, session, duration, Issuer and Destination of the exchange; its secrets never. */
  #logged(call: Call): Logged {
    const all = parametersOf(call.head, call.body);
    const parameters = Object.fromEntries([...all].filter(([name]) => !secretParameters.includes(name)));
    const identity = this.#signIns.peekToken(all.get('SigninToken') ?? '')?.identity ?? this.#identityOf(all.get('Session'), call.nowMs);
    return { parameters, ...(identity === undefined ? {} : { identity }) };
  }

  #identityOf(session: string | undefined, nowMs: number): Logged['identity'] {
    try {
      return session === undefined ? undefined : sessionCredentials(session, { book: this.#book, nowMs }).identity;
    } catch {
      return undefined;
    }
  }
}

function placeOf(head: RequestHead): SigninHost | undefined {
  return signinHost(hostOf(head).replace(/:\d+$/u, ''));
}

/** A query, or a form in a body; here a plus is a space, as in HTML forms. */
function parametersOf(head: RequestHead, body: Buffer): ReadonlyMap<string, string> {
  const { query } = splitTarget(head);
  return new Map(new URLSearchParams(head.method === 'POST' && query === '' ? body.toString('utf8') : query));
}

/** The target as it was on the wire, but for the values of Session and SigninToken. */
function withoutSecrets(head: RequestHead): string {
  const { path, query } = splitTarget(head);
  if (query === '') return path;
  const shown = query.split('&').map((pair) => {
    const name = pair.split('=', 1)[0] ?? '';
    return secretParameters.includes(decodeURIComponent(name.replaceAll(/%(?![0-9a-f]{2})/giu, '%25'))) ? `${name}=-` : pair;
  });
  return `${path}?${shown.join('&')}`;
}

function cookieOf(head: RequestHead): string | undefined {
  for (const pair of (header(head, 'cookie') ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (pair.slice(0, at).trim() === cookieName) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/** For sign-in and console alike, which are names under one domain. */
function cookie({ head, secure }: Call, value: string): string {
  const place = placeOf(head);
  const domain =
    place === undefined ? '' : `; Domain=${place.partition === 'aws' ? 'amazon.com' : hostOf(head).split('.').slice(-2).join('.')}`;
  return `${cookieName}=${value}${domain}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
}

function redirect(location: string, headers: Readonly<Record<string, string>>): Answer {
  return {
    status: 302,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', ...headers },
    body: Buffer.alloc(0),
  };
}

function html(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }, body: Buffer.from(text) };
}
