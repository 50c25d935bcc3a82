import type { Metadata } from '@grpc/grpc-js';
import { CONNECT_KEYS, HTTP2 } from '@postern/api/connect-keys';

export { CONNECT_KEYS };

/** What tsh says of a local connection when it opens a stream for it, as metadata of `Connect` (docs/decisions/0007). */
export interface ConnectFacts {
  /** The local port that accepted it; undefined where tsh did not say. */
  readonly localPort: number | undefined;
  /** The throw-away key that requests are signed with; undefined where there is none, as for databases. */
  readonly localKey: LocalKey | undefined;
  /** The host of CONNECT, which tsh has held against the TLS server name; undefined in endpoint mode. */
  readonly connectHost: string | undefined;
  /** The bytes are a TLS connection of the client's own, to this host. */
  readonly tunnelHost: string | undefined;
  /** The bytes are HTTP/2, as the client and tsh have agreed; HTTP/1.1 else. */
  readonly isHttp2: boolean;
}

export interface LocalKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const nothingSaid: ConnectFacts = {
  localPort: undefined,
  localKey: undefined,
  connectHost: undefined,
  tunnelHost: undefined,
  isHttp2: false,
};
const MAX_HOST = 253;

/** What is not well-formed counts as not said: each of these only ever narrows what is accepted. */
export function readConnectFacts(metadata: Metadata): ConnectFacts {
  const only = (key: string): string | undefined => {
    const [value, ...more] = metadata.get(key);
    return typeof value === 'string' && more.length === 0 ? value : undefined;
  };
  return {
    localPort: readPort(only(CONNECT_KEYS.localPort)),
    localKey: readKey(only(CONNECT_KEYS.localKey)),
    connectHost: readHost(only(CONNECT_KEYS.connectHost)),
    tunnelHost: readHost(only(CONNECT_KEYS.tunnelHost)),
    isHttp2: only(CONNECT_KEYS.protocol) === HTTP2,
  };
}

function readPort(text = ''): number | undefined {
  const port = Number(text);
  return /^[1-9][0-9]{0,4}$/.test(text) && port <= 65_535 ? port : undefined;
}

function readKey(text = ''): LocalKey | undefined {
  const [, accessKeyId, secretAccessKey] = /^([A-Za-z0-9-]{16,128}):([A-Za-z0-9+/=_-]{16,256})$/.exec(text) ?? [];
  return accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
}

function readHost(text = ''): string | undefined {
  return text.length > 0 && text.length <= MAX_HOST && /^[!-~]+$/.test(text) ? text : undefined;
}
