import { PosternError } from '@postern/api';

const MAX_NODE_NAME_LENGTH = 255;
const MAX_VERSION_LENGTH = 64;

/**
 * What a host calls itself stands in every list of what it serves, in the log, and on the terminals of those who read
 * them: it is short, and holds nothing that drives a terminal or begins a line.
 */
export function requireHostWords(host: { readonly nodeName: string; readonly version: string }): void {
  requireShort('a node name', host.nodeName, MAX_NODE_NAME_LENGTH);
  requireShort('a version', host.version, MAX_VERSION_LENGTH);
}

function requireShort(what: string, text: string, maxLength: number): void {
  if (text.length > maxLength) throw new PosternError('bad_request', `${what} has at most ${maxLength} characters`);
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) throw new PosternError('bad_request', `${what} holds no control character`);
}
