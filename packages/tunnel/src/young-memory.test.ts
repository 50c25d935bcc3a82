import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { YoungMemory } from '#young-memory.ts';

const MIB = 2 ** 20;

describe('the memory of bytes that have passed', () => {
  it('is collected every so many bytes, however they were cut', () => {
    let collections = 0;
    const memory = new YoungMemory(() => () => (collections += 1));
    for (let i = 0; i < 4096; i += 1) memory.passed(16 * 1024);
    expect(collections).toBe(16);
    memory.passed(MIB);
    expect(collections).toBe(16);
  });

  it('is left to V8 where the pieces are small, and its function is not even asked for', () => {
    const memory = new YoungMemory(() => expect.fail('nothing large has passed'));
    for (let i = 0; i < 100_000; i += 1) memory.passed(4 * 1024);
  });

  /** A process that reads as the data path does: buffers of 64 KiB that live for a moment, in a heap that is mostly old. */
  const majorCollections = (asks: boolean) => {
    const program = `
      import { PerformanceObserver, constants } from 'node:perf_hooks';
      import { youngMemory } from ${JSON.stringify(join(import.meta.dirname, 'young-memory.ts'))};
      let major = 0;
      const count = (entries) => { for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) major += 1; };
      const observer = new PerformanceObserver((list) => count(list.getEntries()));
      observer.observe({ entryTypes: ['gc'] });
      for (let i = 0; i < 16384; i += 1) {
        Buffer.allocUnsafeSlow(65536);
        if (${asks}) youngMemory.passed(65536);
        if (i % 64 === 0) await new Promise(setImmediate);
      }
      count(observer.takeRecords());
      console.log(major, typeof globalThis.gc);`;
    const [major, gc] = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim().split(' ');
    return { major: Number(major), gc };
  };

  it('costs no collection of the whole heap, and nothing of V8 is left lying about', () => {
    const [without, withIt] = [majorCollections(false), majorCollections(true)];
    console.info(`a GiB of buffers: ${without.major} collections of the whole heap, ${withIt.major} where the young are collected`);
    expect(withIt.gc).toBe('undefined');
    expect(withIt.major).toBeLessThan(without.major / 2);
  });
});
