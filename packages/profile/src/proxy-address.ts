import { UsageError } from '@postern/terminal/usage-error';

export const DEFAULT_PROXY_PORT = 443;

/** "example.com", "https://example.com", "example.com:3080" or "[::1]:3080" as host:port. */
export function withPort(text: string, port = DEFAULT_PROXY_PORT): string {
  const bare = text.replace(/^https:\/\//, '').replace(/\/$/, '');
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(bare);
  const host = match?.[1];
  const given = match?.[2] === undefined ? port : Number(match[2]);
  if (host === undefined || given < 1 || given > 65_535) {
    throw new UsageError(`--proxy: "${text}" is not the address of a proxy: write host or host:port`);
  }
  return `${host.toLowerCase()}:${given}`;
}
