import type { CredentialOperation } from '#handouts/credential-operation.ts';
import type { AwsProtocol } from '#requests/aws-request.ts';

export type AnswerInput = {
  readonly operation: CredentialOperation;
  readonly protocol: AwsProtocol;
  /** whole and not compressed: ask AWS for such an operation without accept-encoding */
  readonly body: Buffer;
};

/** CodePipeline's jobs are the only answer with several. */
const maxKeys = 100;

/** The ids of the keys that an answer hands out, each once, for the audit. Never a secret; what cannot be read gives none. */
export function handedOutKeys({ operation, protocol, body }: AnswerInput): readonly string[] {
  const ids = new Set<string>();
  for (const name of operation.keys) for (const id of reader(protocol, body)(name, body)) if (/^[\w-]{1,128}$/.test(id)) ids.add(id);
  return [...ids].slice(0, maxKeys);
}

type Reader = (name: string, body: Buffer) => Iterable<string>;

/** By what the answer is: STS answers a form in JSON where accept asks for it, and JSON's services answer in CBOR what was asked in it. */
function reader(protocol: AwsProtocol, body: Buffer): Reader {
  const start = /[^\s\uFEFF]/.exec(body.toString('utf8', 0, 256))?.[0];
  if (start === '<') return xmlTexts;
  if (start === '{' || start === '[') return jsonTexts;
  return protocol === 'rpc-v2-cbor' || protocol.startsWith('json-') ? cborTexts : xmlTexts;
}

function* xmlTexts(name: string, body: Buffer): Iterable<string> {
  for (const [, text = ''] of body.toString('utf8').matchAll(new RegExp(`<${name}>\\s*([^<\\s]*)\\s*</${name}>`, 'g'))) yield text;
}

function jsonTexts(name: string, body: Buffer): readonly string[] {
  const found: string[] = [];
  try {
    JSON.parse(body.toString('utf8'), (key, value: unknown) => {
      if (key === name && typeof value === 'string') found.push(value);
      return value;
    });
  } catch {
    return [];
  }
  return found;
}

/** RFC 8949: a text's head says its length up to 23 in itself, up to 255 in a byte more. A member's name is followed by its value. */
function* cborTexts(name: string, body: Buffer): Iterable<string> {
  const label = Buffer.concat([Buffer.of(0x60 + name.length), Buffer.from(name, 'latin1')]);
  for (let at = body.indexOf(label); at >= 0; at = body.indexOf(label, at + 1)) {
    const start = at + label.length;
    const head = body[start] ?? 0;
    if (head >= 0x60 && head < 0x78) yield body.toString('utf8', start + 1, start + 1 + head - 0x60);
    if (head === 0x78) yield body.toString('utf8', start + 2, start + 2 + (body[start + 1] ?? 0));
  }
}
