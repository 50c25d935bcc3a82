import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const host = 'files.s3.us-east-1.amazonaws.com';
const credentials = { accessKeyId: 'AKIAPOSTERNEMULATOR0', secretAccessKey: 'postern-emulator-secret' };
const bytes = 384 * 1024 * 1024;
const allowedGrowth = 96 * 1024 * 1024;
const piece = Buffer.alloc(1024 * 1024, 'some text ');

const directory = mkdtempSync(join(tmpdir(), 'emulator-large-'));
const program = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), '--port=0', '--bucket=files'], {
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { ...process.env, TMPDIR: directory },
});
let port = 0;
beforeAll(async () => {
  const line = await new Promise<string>((resolve) => program.stderr.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  port = Number(/:(?<port>\d+),/u.exec(line)?.groups?.['port']);
});
afterAll(async () => {
  await stop();
  rmSync(directory, { recursive: true });
});

async function stop(): Promise<void> {
  if (program.exitCode !== null) return;
  program.kill('SIGTERM');
  await new Promise((resolve) => program.once('exit', resolve));
}

/** The most memory that the emulator's process has ever held. */
function peakBytes(): number {
  return (
    Number(/^VmHWM:\s+(?<kilobytes>\d+) kB$/mu.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.groups?.['kilobytes']) * 1024
  );
}

async function exchange(method: string, path: string, body?: Readable): Promise<IncomingMessage> {
  const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256: Sha256, uriEscapePath: false });
  const { headers } = await signer.sign({
    method,
    protocol: 'https:',
    hostname: host,
    path,
    query: {},
    headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...(body === undefined ? {} : { 'content-length': String(bytes) }) },
  });
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers }, resolve);
    outgoing.on('error', reject);
    if (body === undefined) outgoing.end();
    else pipeline(body, outgoing).catch(reject);
  });
}

describe.skipIf(!existsSync('/proc/self/status'))('an object of 384 MiB', () => {
  it('goes through the emulator, up and down, and is not held; its file goes away with the emulator', async () => {
    const expected = createHash('sha256');
    for (let at = 0; at < bytes; at += piece.length) expected.update(piece);
    (await exchange('GET', '/none')).resume();
    const before = peakBytes();
    const sent = await exchange('PUT', '/large', Readable.from(Array.from({ length: bytes / piece.length }, () => piece)));
    sent.resume();
    expect(sent.statusCode).toBe(200);
    const got = await exchange('GET', '/large');
    const received = createHash('sha256');
    for await (const chunk of got) received.update(chunk as Buffer);
    expect(received.digest('hex')).toBe(expected.digest('hex'));
    expect(peakBytes() - before).toBeLessThan(allowedGrowth);
    expect(readdirSync(directory)).toHaveLength(1);
    await stop();
    expect(readdirSync(directory)).toEqual([]);
  }, 60_000);
});
