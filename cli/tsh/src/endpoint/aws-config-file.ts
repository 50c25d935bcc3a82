import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync, closeSync, fsyncSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PosternError } from '@postern/api/errors';
import { fileFault } from '@postern/profile/private-files';
import type { ProfileStore } from '@postern/profile/profile-store';
import type { SignedIn } from '@postern/profile/signed-in';
import {
  appsIn,
  type EndpointProfile,
  type IsSignedIn,
  type ProfileOwner,
  regionIn,
  withoutProfiles,
  withPort,
  withProfile,
} from '#endpoint/aws-config-text.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where AWS's programs look: AWS_CONFIG_FILE, else ~/.aws/config. */
export function awsConfigFile(env: Environment): string {
  return env['AWS_CONFIG_FILE'] ?? join(env['HOME'] ?? homedir(), '.aws', 'config');
}

/** One file has the profiles of every cluster, user and TELEPORT_HOME: each replaces and takes out its own alone. */
export function profileOwner({ store, profile: { proxy, user } }: Pick<SignedIn, 'store' | 'profile'>): ProfileOwner {
  return { proxy, user, home: homeOf(store) };
}

/** As it is from every folder that tsh may be run in. */
function homeOf(store: ProfileStore): string {
  return resolve(store.home);
}

/** Returns the file that holds it now. */
export function putProfile(env: Environment, profile: EndpointProfile, isSignedIn?: IsSignedIn): string {
  return change(env, (text, file) => withProfile(text, profile, file, isSignedIn));
}

/** The applications that this owner has profiles of. None where the file cannot be read: who takes them out says so. */
export function profiledApps(env: Environment, owner: ProfileOwner): readonly string[] {
  try {
    const file = awsConfigFile(env);
    return appsIn(read(file), owner, file);
  } catch {
    return [];
  }
}

/** The region of a profile of ours, where it stands already. */
export function profileRegion(env: Environment, profile: string): string | undefined {
  const file = awsConfigFile(env);
  return regionIn(read(file), profile, file);
}

export function takeOutProfiles(env: Environment, of: ProfileOwner & { readonly app: string }): void {
  change(env, (text, file) => withoutProfiles(text, of, file));
}

export function moveProfiles(env: Environment, store: ProfileStore, port: number): void {
  change(env, (text, file) => withPort(text, { port, home: homeOf(store) }, file));
}

function change(env: Environment, edit: (text: string, file: string) => string): string {
  const file = awsConfigFile(env);
  const before = read(file);
  const after = edit(before, file);
  if (after !== before) write(file, after);
  return file;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw unusable(file, error);
  }
}

/** Whole or not at all. People keep this file elsewhere and link to it: the link stays, and what it leads to is replaced. */
function write(file: string, text: string): void {
  const target = targetOf(file);
  const beside = `${target}.${randomBytes(6).toString('hex')}.new`;
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    const fd = openSync(beside, 'wx', 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw unusable(file, error);
  }
}

function targetOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function unusable(file: string, error: unknown): PosternError {
  return new PosternError('bad_request', `cannot write ${file}: ${fileFault(error)}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
