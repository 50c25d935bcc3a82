import { request } from 'node:https';
import { isIP } from 'node:net';
import { PosternError } from '@postern/api/errors';
import type { HostPort } from '#find/host-port.ts';

const MAX_ANSWER_BYTES = 256 * 1024;
const DEADLINE_MS = 10_000;

export interface GetJsonOptions {
  readonly at: HostPort;
  readonly path: string;
  /** The roots that the server's certificate must come from; undefined takes any certificate. */
  readonly roots: readonly string[] | undefined;
}

/** No connection came about: a wrong port, or a host that is off. Whoever did answer, and was refused, is another error. */
export class NobodyListens extends PosternError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('cannot_connect', message, options);
  }
}

/** One GET over TLS. Redirects are not followed: whoever answers must be the one that was asked. */
export function getJson({ at, path, roots }: GetJsonOptions): Promise<unknown> {
  const place = at.text;
  let connected = false;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: at.host,
        port: at.port,
        path,
        agent: false,
        minVersion: 'TLSv1.2',
        servername: isIP(at.host) === 0 ? at.host : '',
        headers: { accept: 'application/json' },
        rejectUnauthorized: roots !== undefined,
        ...(roots === undefined ? {} : { ca: [...roots] }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > MAX_ANSWER_BYTES)
            call.destroy(
              new PosternError(
                'cannot_connect',
                `${place} answers with more than ${MAX_ANSWER_BYTES} bytes: it is not a proxy of this system`,
              ),
            );
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200)
            return reject(
              new PosternError(
                'cannot_connect',
                `${place} answers ${response.statusCode ?? 0} to ${path}: it is not a proxy of this system`,
              ),
            );
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          } catch (cause) {
            reject(new PosternError('cannot_connect', `${place} does not answer in JSON: it is not a proxy of this system`, { cause }));
          }
        });
      },
    );
    call.on('socket', (socket) => socket.once('connect', () => (connected = true)));
    call.on('error', (error) => reject(error instanceof PosternError ? error : explain(error, { place, connected })));
    call.end();
  });
}

/** OpenSSL's verification results and Node's own, as they stand in `code`. */
const CERTIFICATE_CODES =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH)/;

/** A name that is not known is not among them: another port of it is not known either. */
const NOT_REACHED = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ETIMEDOUT)$/;

/** The codes of Node that a person meets, in words; others stand as they are. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there (ECONNREFUSED): is the address right, and the proxy running?'],
  ['EPROTO', 'what answers there does not speak TLS (EPROTO): is the port right?'],
  ['ENOTFOUND', 'no host has this name (ENOTFOUND): is the address right?'],
]);

/** A pin would help against these as little as an authority does. */
const CLOCK_CODES: ReadonlySet<string> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

function explain(error: Error, { place, connected }: { readonly place: string; readonly connected: boolean }): PosternError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (CERTIFICATE_CODES.test(code)) {
    if (CLOCK_CODES.has(code)) {
      return new PosternError(
        'cannot_connect',
        `the web certificate of ${place} is not in force at ${new Date().toISOString()} (${code}): compare the clock of this machine, or have the certificate renewed`,
        { cause: error },
      );
    }
    return new PosternError(
      'cannot_connect',
      `the web certificate of ${place} cannot be verified (${code}): give the cluster's pin, which tctl status prints (ca_pin, --ca-pin), or name the authority of the certificate in SSL_CERT_FILE`,
      { cause: error },
    );
  }
  const late = error.name === 'TimeoutError' || error.name === 'AbortError';
  const message = `cannot connect to ${place}: ${late ? `no answer within ${DEADLINE_MS / 1000} s` : (CAUSES.get(code) ?? code)}`;
  // A firewall that drops what comes looks like a host that is off.
  if (!connected && (late || NOT_REACHED.test(code))) return new NobodyListens(message, { cause: error });
  return new PosternError('cannot_connect', message, { cause: error });
}
