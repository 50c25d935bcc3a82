import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/api';
import { selfSignedCertificate, type WebKeyPair } from '#web-certificate/self-signed.ts';

export interface WebCertificates {
  /** Never empty; the first is shown where no name fits. */
  readonly pairs: readonly WebKeyPair[];
  readonly selfSigned: boolean;
}

const RENEW_BEFORE_MS = 30 * 86_400_000;

/** The configured key pairs, or the self-signed one of dataDir, made where there is none, where it ends soon or names other hosts. */
export async function loadWebCertificates(options: {
  readonly keypairs: readonly { readonly keyFile: string; readonly certFile: string }[];
  readonly dataDir: string;
  readonly names: readonly string[];
  readonly nowMs: number;
}): Promise<WebCertificates> {
  if (options.keypairs.length > 0) return { pairs: await Promise.all(options.keypairs.map(readPair)), selfSigned: false };
  const files = { certFile: join(options.dataDir, 'web.crt'), keyFile: join(options.dataDir, 'web.key') };
  const kept = await readPair(files).catch(() => undefined);
  if (kept && isUsable(kept.certPem, options)) return { pairs: [kept], selfSigned: true };
  const made = selfSignedCertificate({ names: options.names, nowMs: options.nowMs });
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  await writeWhole(files.keyFile, made.keyPem);
  await writeWhole(files.certFile, made.certPem);
  return { pairs: [made], selfSigned: true };
}

async function readPair(files: { readonly keyFile: string; readonly certFile: string }): Promise<WebKeyPair> {
  const [certPem, keyPem] = await Promise.all([readPem(files.certFile), readPem(files.keyFile)]);
  const certificate = parse(files.certFile, 'a certificate in PEM', () => new X509Certificate(certPem));
  const key = parse(files.keyFile, 'a private key in PEM, without a passphrase', () => createPrivateKey(keyPem));
  if (!certificate.checkPrivateKey(key)) throw new PosternError('bad_request', `${files.keyFile} is not the key of ${files.certFile}`);
  return { certPem, keyPem };
}

function readPem(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause) => {
    throw new PosternError('bad_request', `${file} cannot be read: check https_keypairs and the file's permissions`, { cause });
  });
}

function parse<T>(file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new PosternError('bad_request', `${file} does not hold ${what}`, { cause });
  }
}

function isUsable(certPem: string, options: { readonly names: readonly string[]; readonly nowMs: number }): boolean {
  const certificate = new X509Certificate(certPem);
  const names = certificate.subjectAltName ?? '';
  return Date.parse(certificate.validTo) - options.nowMs > RENEW_BEFORE_MS && options.names.every((name) => names.includes(name));
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}
