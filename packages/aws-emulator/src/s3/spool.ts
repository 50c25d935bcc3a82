import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { BodySink } from '#exchange/read-body.ts';
import { type Content, discardedContent, fileContent, memoryContent } from '#s3/content.ts';

/** So much of an object is held in memory; a larger one goes to a temporary file. */
const maxHeldBytes = 1024 * 1024;

/** The folder of the objects that are too large to be held; made when the first one comes. */
export class SpoolFolder {
  #path: string | undefined;

  newPath(): string {
    this.#path ??= mkdtempSync(join(tmpdir(), 'aws-emulator-s3-'));
    return join(this.#path, randomUUID());
  }

  async remove(): Promise<void> {
    if (this.#path !== undefined) await rm(this.#path, { recursive: true, force: true });
  }
}

/** Takes an object's bytes as they come. */
export class Spool implements BodySink {
  readonly #folder: SpoolFolder;
  #held: Buffer[] = [];
  #bytes = 0;
  #file: { readonly path: string; readonly handle: FileHandle } | undefined;

  constructor(folder: SpoolFolder) {
    this.#folder = folder;
  }

  async write(data: Buffer): Promise<void> {
    this.#bytes += data.length;
    this.#held.push(data);
    if (this.#file === undefined && this.#bytes <= maxHeldBytes) return;
    const held = this.#held;
    this.#held = [];
    if (this.#file === undefined) {
      const path = this.#folder.newPath();
      this.#file = { path, handle: await open(path, 'wx', 0o600) };
    }
    for (const piece of held) await this.#file.handle.writeFile(piece);
  }

  async finish(): Promise<Content> {
    if (this.#file === undefined) return memoryContent(Buffer.concat(this.#held));
    await this.#file.handle.close();
    return fileContent(this.#file.path, this.#bytes);
  }

  async abandon(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.handle.close().catch(() => undefined);
    await rm(this.#file.path, { force: true });
  }
}

/** Counts, and keeps nothing. */
export class DiscardingSpool implements BodySink {
  #bytes = 0;
  write(data: Buffer): void {
    this.#bytes += data.length;
  }
  finish(): Promise<Content> {
    return Promise.resolve(discardedContent(this.#bytes));
  }
  abandon(): Promise<void> {
    return Promise.resolve();
  }
}
