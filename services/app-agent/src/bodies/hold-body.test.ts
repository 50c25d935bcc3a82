import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BodyBudget, type BodySink } from '@postern/http';
import { limits } from '@postern/limits';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Hold, holdBody, type HoldBodyOptions } from '#bodies/hold-body.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'postern-hold-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The part of an exchange that a body comes from, and how often its client was held back. */
class Client {
  readonly head: { readonly length: number };
  sink: BodySink | undefined;
  pauses = 0;
  isPaused = false;
  #onResume: (() => void) | undefined;

  constructor(length: number) {
    this.head = { length };
  }

  readBody(sink: BodySink): void {
    this.sink = sink;
  }

  pauseBody(): void {
    this.pauses += 1;
    this.isPaused = true;
  }

  resumeBody(): void {
    this.isPaused = false;
    this.#onResume?.();
  }

  /** Sends pieces as a client that waits while it is held back. */
  async send(pieces: Iterable<Buffer>): Promise<void> {
    for (const piece of pieces) {
      if (this.isPaused) await new Promise<void>((resolve) => (this.#onResume = resolve));
      this.sink?.onData(piece);
    }
    this.sink?.onEnd();
  }
}

function room(over: Partial<HoldBodyOptions> = {}): HoldBodyOptions {
  return {
    owner: 'alice',
    memory: new BodyBudget(limits.appMemoryBytes),
    files: new BodyBudget(limits.appFilesBytes),
    small: new BodyBudget(limits.appSmallBodiesBytes, limits.appSmallBodiesPerUserBytes),
    maxMemoryBytes: limits.appHeldInMemoryBytes,
    maxBytes: limits.appHeldBytes,
    dir,
    monotonicMs: () => 0,
    ...over,
  };
}

async function hold(pieces: readonly Buffer[], options: HoldBodyOptions, length = -1): Promise<{ held: Hold; client: Client }> {
  const client = new Client(length);
  // oxlint-disable-next-line typescript/no-unsafe-argument -- only what holdBody asks of an exchange is here
  const holding = holdBody(client as never, options);
  await client.send(pieces);
  return { held: await holding, client };
}

async function contentOf(held: Hold): Promise<Buffer> {
  if ('failed' in held) throw new Error(held.failed);
  if (Buffer.isBuffer(held.content)) return held.content;
  const bytes = Buffer.alloc(held.length);
  await held.content.read(bytes, 0, held.length, 0);
  return bytes;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const cut = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));

describe('a body that has to be hashed first', () => {
  it.each([0, 1, 65_536, 1_000_000, 20_000_000])('of %i bytes is hashed and can be read back to the byte', async (size) => {
    const body = randomBytes(size);
    const options = room();
    const { held } = await hold(cut(body, 65_536), options);
    if ('failed' in held) throw new Error(held.failed);
    expect(held.sha256).toBe(sha256(body));
    expect(held.length).toBe(size);
    expect((await contentOf(held)).equals(body)).toBe(true);
    expect(readdirSync(dir)).toEqual([]);
    held.release();
    held.release();
    expect([options.memory.heldBytes, options.files.heldBytes]).toEqual([0, 0]);
  });

  it('stays in memory up to 256 KiB, and goes into a file without a name a byte past that [limit appHeldInMemoryBytes]', async () => {
    const body = randomBytes(limits.appHeldInMemoryBytes + 1);
    const { held: atLimit } = await hold(cut(body.subarray(0, -1), 65_536), room());
    const { held: past } = await hold(cut(body, 65_536), room());
    if ('failed' in atLimit || 'failed' in past) throw new Error('not held');
    expect(Buffer.isBuffer(atLimit.content)).toBe(true);
    expect(Buffer.isBuffer(past.content)).toBe(false);
    expect((await contentOf(past)).equals(body)).toBe(true);
    past.release();
  });

  it('may have 256 MiB, said beforehand or found out, and not a byte more [limit appHeldBytes]', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const whole = Array.from({ length: limits.appHeldBytes / piece.length }, () => piece);
    const options = room();
    const { held, client } = await hold(whole, options, limits.appHeldBytes);
    if ('failed' in held) throw new Error(held.failed);
    expect(held.length).toBe(limits.appHeldBytes);
    // The disk is slower than memory: the client had to wait for it, or it would all be here.
    expect(client.pauses).toBeGreaterThan(1);
    held.release();
    const { held: past } = await hold([...whole, Buffer.alloc(1)], options);
    expect(past).toEqual({ failed: 'too_large' });
    const { held: said } = await hold([], options, limits.appHeldBytes + 1);
    expect(said).toEqual({ failed: 'too_large' });
    await expect.poll(() => options.files.heldBytes).toBe(0);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('takes its memory from 128 MiB for all, half of it for one person; without it a small one goes to the disk [limit appMemoryBytes]', async () => {
    const memory = new BodyBudget(limits.appMemoryBytes);
    const small = randomBytes(16_384);
    expect(memory.take('alice', limits.appMemoryBytes / 2 - 16_384)).toBe(true);
    const { held: last } = await hold([small], room({ memory }));
    const { held: past } = await hold([small], room({ memory }));
    const { held: others } = await hold([small], room({ memory, owner: 'bob' }));
    if ('failed' in last || 'failed' in past || 'failed' in others) throw new Error('not held');
    expect([last, past, others].map(({ content }) => Buffer.isBuffer(content))).toEqual([true, false, true]);
    expect((await contentOf(past)).equals(small)).toBe(true);
    past.release();
  });

  it('takes its place on the disk from 2 GiB for all, half of it for one person, and is refused past that [limit appFilesBytes]', async () => {
    const files = new BodyBudget(limits.appFilesBytes);
    const large = randomBytes(512 * 1024);
    expect(files.take('alice', limits.appFilesBytes / 2 - large.length)).toBe(true);
    const { held: last } = await hold(cut(large, 65_536), room({ files }));
    expect('failed' in last).toBe(false);
    const { held: past } = await hold(cut(large, 65_536), room({ files }));
    expect(past).toEqual({ failed: 'no_share' });
    expect(files.take('bob', limits.appFilesBytes / 2 - large.length)).toBe(true);
    const { held: others } = await hold(cut(large, 65_536), room({ files, owner: 'bob' }));
    expect('failed' in others).toBe(false);
    const { held: none } = await hold(cut(large, 65_536), room({ files, owner: 'carol' }));
    expect(none).toEqual({ failed: 'no_room' });
    files.give('bob', limits.appFilesBytes / 2 - large.length);
    for (const held of [last, others]) if (!('failed' in held)) held.release();
    await expect.poll(() => files.heldBytes).toBe(limits.appFilesBytes / 2 - large.length);
  });

  /** All that is there is another's. */
  const taken = () => {
    const budget = new BodyBudget(1, 1);
    budget.take('mallory', 1);
    return budget;
  };

  it('has a reserve where all of that is taken, if it is 64 KiB at the most, and gives it back [limit appSmallBodyBytes]', async () => {
    const options = room({ memory: taken(), files: taken() });
    const body = randomBytes(limits.appSmallBodyBytes + 1);
    const { held } = await hold(cut(body.subarray(0, -1), 10_000), options);
    expect((await contentOf(held)).equals(body.subarray(0, -1))).toBe(true);
    expect(options.small.heldBytes).toBe(limits.appSmallBodyBytes);
    if (!('failed' in held)) held.release();
    expect((await hold(cut(body, 10_000), options)).held).toEqual({ failed: 'no_share' });
    expect((await hold([body.subarray(0, 10)], options, body.length)).held).toEqual({ failed: 'no_share' });
    expect(options.small.heldBytes).toBe(0);
  });

  it('shares that reserve of 16 MiB with all, of which one person has one [limit appSmallBodiesBytes] [limit appSmallBodiesPerUserBytes]', async () => {
    const { appSmallBodyBytes, appSmallBodiesBytes, appSmallBodiesPerUserBytes } = limits;
    const options = room({ memory: new BodyBudget(0, 1), files: new BodyBudget(0, 1e9) });
    const body = Buffer.alloc(appSmallBodyBytes);
    const isHeld = async (owner: string) => !('failed' in (await hold([body], { ...options, owner })).held);
    for (let user = 0; user < appSmallBodiesBytes / appSmallBodiesPerUserBytes; user += 1) {
      for (let at = 0; at < appSmallBodiesPerUserBytes / appSmallBodyBytes; at += 1) expect(await isHeld(`user-${user}`)).toBe(true);
      expect(await isHeld(`user-${user}`)).toBe(false);
    }
    expect((await hold([body], { ...options, owner: 'another' })).held).toEqual({ failed: 'no_room' });
  });

  it('goes on from the reserve to the disk where there is room again', async () => {
    const files = new BodyBudget(1_000_000, 1_000_000);
    files.take('mallory', 1_000_000);
    const options = room({ memory: new BodyBudget(0), files });
    const body = randomBytes(100_000);
    const client = new Client(-1);
    const holding = holdBody(client as never, options);
    client.sink?.onData(body.subarray(0, 50_000));
    expect(options.small.heldBytes).toBe(50_000);
    files.give('mallory', 1_000_000);
    await client.send([body.subarray(50_000)]);
    const held = await holding;
    expect((await contentOf(held)).equals(body)).toBe(true);
    if (!('failed' in held)) held.release();
    expect(options.small.heldBytes).toBe(0);
  });

  it('has to come at 240 KiB a minute, each minute, and is waited for as long as it does [limit appHeldPace]', () => {
    const { bytes, everyMs } = limits.appHeldPace;
    let nowMs = 0;
    const client = new Client(-1);
    void holdBody(client as never, room({ monotonicMs: () => nowMs }));
    const isLateAfter = (size: number, ms: number) => {
      client.sink?.onData(Buffer.alloc(size));
      nowMs += ms;
      return client.sink?.isLate?.();
    };
    expect(isLateAfter(0, everyMs)).toBe(false);
    expect(isLateAfter(bytes, 1)).toBe(false);
    expect(isLateAfter(bytes, everyMs + 1)).toBe(false);
    // What it was ahead helps it to nothing: so it could wait for hours.
    expect(isLateAfter(10_000_000, everyMs + 1)).toBe(false);
    expect(isLateAfter(bytes - 1, everyMs + 1)).toBe(true);
  });

  it('has half an hour in all [limit appHeldMs]', () => {
    let nowMs = 0;
    const client = new Client(-1);
    void holdBody(client as never, room({ monotonicMs: () => nowMs }));
    for (; nowMs + 60_000 <= limits.appHeldMs; nowMs += 60_000) {
      client.sink?.onData(Buffer.alloc(1_000_000));
      expect(client.sink?.isLate?.()).toBe(false);
    }
    nowMs = limits.appHeldMs;
    expect(client.sink?.isLate?.()).toBe(false);
    nowMs += 1;
    expect(client.sink?.isLate?.()).toBe(true);
  });

  it('gives back what it took where its client leaves, in memory and on the way to the disk', async () => {
    for (const size of [1000, 5_000_000]) {
      const options = room();
      const client = new Client(-1);
      const holding = holdBody(client as never, options);
      for (const piece of cut(randomBytes(size), 65_536)) client.sink?.onData(piece);
      client.sink?.onFailed('client_gone');
      expect(await holding).toEqual({ failed: 'client_gone' });
      await expect.poll(() => [options.memory.heldBytes, options.files.heldBytes]).toEqual([0, 0]);
      expect(readdirSync(dir)).toEqual([]);
    }
  });

  it('is refused where the disk takes nothing', async () => {
    const { held } = await hold(cut(randomBytes(1_000_000), 65_536), room({ dir: join(dir, 'missing') }));
    expect(held).toMatchObject({ failed: 'no_file' });
  });

  it('is refused where it comes in crumbs', async () => {
    const { held } = await hold(
      Array.from({ length: 10_000 }, () => Buffer.from('x')),
      room(),
    );
    expect(held).toEqual({ failed: 'too_fine' });
  });
});
