import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProfileStore } from '@postern/profile/profile-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askControl, controlPath, listenForControl } from '#endpoint/control-socket.ts';

let home: string;
let store: ProfileStore;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tsh-up-'));
  store = new ProfileStore(join(home, '.tsh'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const status = { pid: 1, port: 23_480, startedAt: '2026-01-02T00:00:00.000Z', sessions: 0 };

describe('the socket by which tsh up and tsh down find the process', () => {
  it('answers what is asked, and only that', async () => {
    const asked: string[] = [];
    const server = await listenForControl(store, (verb) => {
      asked.push(verb);
      return status;
    });
    expect(await askControl(store, 'status')).toEqual(status);
    expect(await askControl(store, 'stop')).toEqual(status);
    expect(await askControl(store, 'else' as 'stop')).toBeUndefined();
    expect(asked).toEqual(['status', 'stop']);
    expect(statSync(join(home, '.tsh')).mode & 0o077).toBe(0);
    server.close();
    expect(await askControl(store, 'status')).toBeUndefined();
  });

  it('takes the place of what a process left that died', async () => {
    const first = await listenForControl(store, () => status);
    first.close();
    writeFileSync(controlPath(store), 'left behind');
    expect(await askControl(store, 'status')).toBeUndefined();
    const second = await listenForControl(store, () => status);
    expect(await askControl(store, 'status')).toEqual(status);
    second.close();
  });

  it('is refused in words where its path is longer than a socket’s may be', () => {
    expect(() => controlPath(new ProfileStore(join(home, 'x'.repeat(120))))).toThrow(/too long a path.*TELEPORT_HOME/);
  });
});
