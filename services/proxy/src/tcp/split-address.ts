import { PosternError } from '@postern/api';

/** "host:port" or "[v6]:port". */
export function splitAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port > 0 && port < 65_536))
    throw new PosternError('bad_request', `${text} is not an address: write host:port`);
  return { host, port };
}
