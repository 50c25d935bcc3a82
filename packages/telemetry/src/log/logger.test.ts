import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import * as fc from 'fast-check';
import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';
import { type LogFields, loggableFields } from '#log/fields.ts';
import { createLogger } from '#log/logger.ts';

function collector() {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  return { lines, destination };
}
const nowMs = () => Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const json = (service = 'auth') => {
  const { lines, destination } = collector();
  return { lines, logger: createLogger({ service, level: 'debug', format: 'json', destination, nowMs }) };
};
const parse = (line: string | undefined) => JSON.parse(line ?? '') as Record<string, unknown>;

describe('a log line as JSON', () => {
  it('holds time, level, service, message and the fields', () => {
    const { lines, logger } = json();
    logger.info({ hostId: 'h1', attempt: 2 }, 'joined the cluster');
    expect(parse(lines[0])).toEqual({
      time: '2026-01-02T03:04:05.678Z',
      level: 'info',
      service: 'auth',
      message: 'joined the cluster',
      hostId: 'h1',
      attempt: 2,
    });
  });

  it('carries the fields of a child, and drops unlisted ones of a child too', () => {
    const { lines, logger } = json();
    logger.child({ sessionId: 's1', password: 'hunter2' } as LogFields).warn({ reason: 'expired' }, 'session ended');
    expect(parse(lines[0])).toMatchObject({ sessionId: 's1', reason: 'expired', omittedFields: 1 });
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('leaves out lines below the level', () => {
    const { lines, destination } = collector();
    const logger = createLogger({ service: 'auth', level: 'warn', format: 'json', destination });
    logger.info({}, 'quiet');
    logger.error({}, 'loud');
    expect(lines.map((line) => parse(line).message)).toEqual(['loud']);
  });

  it('writes name, code, message, stack and cause of an error, and no other property of it', () => {
    const { lines, logger } = json();
    const error = Object.assign(new Error('could not assume the role', { cause: new TypeError('socket hang up') }), {
      code: 'ECONNRESET',
      request: { headers: { authorization: 'canary-42' } },
    });
    logger.error({ err: error }, 'call failed');
    const { err } = parse(lines[0]) as { err: Record<string, unknown> };
    expect(err).toMatchObject({
      name: 'Error',
      code: 'ECONNRESET',
      message: 'could not assume the role',
      cause: { name: 'TypeError', message: 'socket hang up' },
    });
    expect(Object.keys(err).sort()).toEqual(['cause', 'code', 'message', 'name', 'stack']);
    expect(lines.join('')).not.toContain('canary-42');
  });

  it('survives a field whose getter throws', () => {
    const { lines, logger } = json();
    const hostile = {
      get reason(): string {
        throw new Error('boom');
      },
    };
    logger.info(hostile, 'still written');
    expect(parse(lines[0]).message).toBe('still written');
  });
});

describe('a secret', () => {
  const canary = 'canary-7f3a9c';
  const listed: ReadonlySet<string> = new Set(loggableFields);
  const anyShape = (leaf: string) =>
    fc.constantFrom<unknown>(leaf, [leaf], { nested: leaf }, { reason: leaf }, new Error(leaf), Buffer.from(leaf), new Map([['k', leaf]]));

  it('never appears under a name that is not on the list, in either format, whatever holds it', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((name) => !listed.has(name)),
        anyShape(canary),
        fc.constantFrom('json' as const, 'text' as const),
        (name, value, format) => {
          const { lines, destination } = collector();
          const logger = createLogger({ service: 'auth', level: 'debug', format, destination });
          const fields = Object.fromEntries([[name, value]]) as LogFields;
          logger.info(fields, 'message');
          logger.child(fields).error({ reason: 'x' }, 'message');
          expect(lines.join('')).not.toContain(canary);
          expect(lines).toHaveLength(2);
        },
      ),
    );
  });

  it('does not appear inside an object given under a listed name, because its keys are on no list', () => {
    const { lines, logger } = json();
    logger.info({ user: { password: canary }, name: new Map([[canary, canary]]), reason: [{ canary }] }, 'message');
    expect(lines.join('')).not.toContain(canary);
  });

  it.each([
    ['a private key', `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`],
    ['a private key cut short', `-----BEGIN EC PRIVATE KEY-----\n${canary}`],
    ['a bearer header', `authorization: Bearer ${canary}`],
    ['a signed query', `GET /?X-Amz-Security-Token=${canary}&X-Amz-Signature=${canary}`],
    ['a token in words', `token: ${canary}`],
    ['a password in JSON', `{"password":"${canary}"}`],
    ['a password in a URL', `redis://user:${canary}@redis:6379`],
  ])('is removed from the text of an error and of a message: %s', (_what, text) => {
    const { lines, logger } = json();
    logger.error({ err: new Error(text), reason: text }, text);
    expect(lines.join('')).not.toContain(canary);
  });
});

describe('a log line as text', () => {
  const text = () => {
    const { lines, destination } = collector();
    return { lines, logger: createLogger({ service: 'auth', level: 'debug', format: 'text', destination, nowMs }) };
  };

  it('is short and aligned', () => {
    const { lines, logger } = text();
    logger.info({ listenAddress: '0.0.0.0:3025', pins: ['sha256:ab'] }, 'listening');
    expect(lines).toEqual(['2026-01-02T03:04:05.678Z INFO  auth     listening listenAddress=0.0.0.0:3025 pins=[sha256:ab]\n']);
  });

  it('is one line whatever a field holds: no forged lines, no terminal sequences', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { lines, logger } = text();
        logger.warn({ user: `a\n\u001b[2J${value}`, reason: value }, `x\r\n${value}`);
        expect(lines).toHaveLength(1);
        // oxlint-disable-next-line no-control-regex
        expect(lines[0]?.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      }),
    );
  });
});

describe('a reader that stands still', () => {
  it('costs at most 8 MiB, then lines are dropped and counted, and the count is told when it reads again [limit logBufferBytes]', () => {
    let release: (() => void) | undefined;
    const seen: string[] = [];
    const stuck = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        seen.push(chunk.toString());
        if (release) done();
        else release = done;
      },
    });
    const logger = createLogger({ service: 'auth', level: 'info', format: 'json', destination: stuck });
    const reason = 'r'.repeat(1000);
    for (let i = 0; i < 12_000; i++) logger.info({ reason, count: i }, 'line');
    const { droppedLines, waitingBytes } = logger.backlog();
    expect(waitingBytes).toBeLessThanOrEqual(limits.logBufferBytes);
    // The next line would not have had room.
    expect(waitingBytes).toBeGreaterThan(limits.logBufferBytes - 2 * reason.length);
    expect(droppedLines).toBeGreaterThan(1000);
    return new Promise<void>((resolve) => {
      stuck.once('drain', () => {
        logger.info({}, 'after');
        setImmediate(() => {
          expect(seen.some((line) => parse(line).dropped === droppedLines)).toBe(true);
          expect(parse(seen.at(-1)).message).toBe('after');
          resolve();
        });
      });
      release?.();
    });
  });

  it('does not hold up a real process that logs to a real pipe, nor its end', async () => {
    const program = `
      const { createLogger } = await import(${JSON.stringify(new URL('logger.ts', import.meta.url).href)});
      const logger = createLogger({ service: 'auth', level: 'info', format: 'json' });
      for (let i = 0; i < 12000; i++) logger.info({ reason: 'r'.repeat(1000) }, 'line');
      process.stdout.write(JSON.stringify(logger.backlog()), () => process.exit(0));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: new URL('..', import.meta.url).pathname,
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [code] = (await once(child, 'exit')) as [number];
    child.stderr.destroy();
    expect(code).toBe(0);
    expect((JSON.parse(Buffer.concat(chunks).toString()) as { droppedLines: number }).droppedLines).toBeGreaterThan(1000);
  });

  it('that has gone away does not end the program', async () => {
    const gone = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })) });
    const logger = createLogger({ service: 'auth', level: 'info', format: 'text', destination: gone });
    logger.info({}, 'one');
    await new Promise((resolve) => setImmediate(resolve));
    logger.info({}, 'two');
    expect(logger.backlog().droppedLines).toBe(1);
  });
});
