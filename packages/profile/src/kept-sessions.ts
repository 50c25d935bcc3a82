import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileName } from '#file-name.ts';
import { ensurePrivateDir, readWithin, removePrivateFile, writePrivateFile } from '#private-files.ts';
import type { Profile } from '#profile.ts';

/** What is kept of one sign-in beside its own key: sessions with databases, with applications, and the throw-away keys of these. */
export const keptKinds = ['db', 'app', 'key'] as const;
export type KeptKind = (typeof keptKinds)[number];

const SUFFIX = '.json';
const LISTED = 'listed';

/** keys/PROXY/USER-KIND/CLUSTER/NAME.json, and the files beside it that other programs read. It ends with the sign-in. */
export class KeptSessions {
  /** From ~/.tsh on: each is checked on the way. */
  readonly #home: string;
  readonly #owner: readonly string[];
  readonly #cluster: string;

  constructor(home: string, profile: Profile, kind: KeptKind) {
    this.#home = home;
    this.#owner = ['keys', fileName(profile.proxy), `${fileName(profile.user)}-${kind}`];
    this.#cluster = fileName(profile.cluster);
  }

  save(name: string, json: string): void {
    this.#write(fileName(name) + SUFFIX, json);
  }

  load(name: string): string | undefined {
    return this.#read(this.#cluster, fileName(name) + SUFFIX);
  }

  names(): readonly string[] {
    const dir = join(this.#home, ...this.#owner, this.#cluster);
    if (!existsSync(dir)) return [];
    return readdirSync(dir)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => decodeURIComponent(name.slice(0, -SUFFIX.length)))
      .sort();
  }

  remove(name: string): void {
    removePrivateFile(this.#path(fileName(name) + SUFFIX));
  }

  /** Whether it is kept still; cheap enough to be asked for each connection. */
  has(name: string): boolean {
    return existsSync(this.#path(fileName(name) + SUFFIX));
  }

  /** For a program that takes a path: `NAME-localca.pem`, say. 0600, whole or not at all; returns where it lies. */
  saveBeside(name: string, ending: string, text: string): string {
    const file = fileName(name) + ending;
    this.#write(file, text);
    return this.#path(file);
  }

  pathBeside(name: string, ending: string): string {
    return this.#path(fileName(name) + ending);
  }

  removeBeside(name: string, ending: string): void {
    removePrivateFile(this.#path(fileName(name) + ending));
  }

  /** What auth listed last, for while it is away; it ends with the sign-in whose roles it shows. */
  saveListed(json: string): void {
    writePrivateFile(join(this.#ensure(this.#owner), LISTED), json);
  }

  loadListed(): string | undefined {
    return this.#read(LISTED);
  }

  #write(file: string, text: string): void {
    writePrivateFile(join(this.#ensure([...this.#owner, this.#cluster]), file), text);
  }

  #path(file: string): string {
    return join(this.#home, ...this.#owner, this.#cluster, file);
  }

  #ensure(parts: readonly string[]): string {
    let dir = this.#home;
    ensurePrivateDir(dir);
    for (const part of parts) {
      dir = join(dir, part);
      ensurePrivateDir(dir);
    }
    return dir;
  }

  #read(...parts: readonly string[]): string | undefined {
    return readWithin(this.#home, [...this.#owner, ...parts]);
  }
}
