import { PosternError } from '@postern/api/errors';

/** Whose login a profile hangs on. */
export interface ProfileOwner {
  readonly proxy: string;
  readonly user: string;
  /** The folder that the login lies in. */
  readonly home: string;
}

/** A profile of endpoint mode, as `tsh aws configure` writes it into AWS's shared configuration. */
export interface EndpointProfile extends ProfileOwner {
  readonly profile: string;
  /** `tsh apps logout` takes out what its application has. */
  readonly app: string;
  readonly region: string;
  readonly port: number;
  /** Prints the throw-away key. */
  readonly credentialProcess: string;
}

/** Of owners whose login lies in the same folder. */
export type IsSignedIn = (owner: ProfileOwner) => boolean;

const BEGIN = '# BEGIN postern';
const END = '# END postern';
const BEGIN_LINE = /^# BEGIN postern profile=(\S+) proxy=(\S+) user=(\S+) home=(\S+) app=(\S+)/;

type Ours = ProfileOwner & Pick<EndpointProfile, 'profile' | 'app'>;

/** Cut where our blocks begin and end; what is between them is the person's and stays as it is. */
interface Piece {
  readonly lines: readonly string[];
  readonly ours?: Ours;
}

function piecesOf(text: string, file: string): Piece[] {
  const pieces: Piece[] = [];
  let lines: string[] = [];
  let ours: Piece['ours'];
  for (const line of text === '' ? [] : text.replace(/\n$/, '').split('\n')) {
    if (line.startsWith(BEGIN)) {
      const [profile = '', proxy = '', user = '', home = '', app = ''] = (BEGIN_LINE.exec(line) ?? []).slice(1).map(decodeURIComponent);
      if (ours !== undefined || profile === '') throw damaged(file, line);
      if (lines.length > 0) pieces.push({ lines });
      lines = [line];
      ours = { profile, proxy, user, home, app };
      continue;
    }
    lines.push(line);
    if (!line.startsWith(END)) continue;
    if (ours === undefined) throw damaged(file, line);
    pieces.push({ lines, ours });
    lines = [];
    ours = undefined;
  }
  if (ours !== undefined) throw damaged(file, `${BEGIN} …`);
  if (lines.length > 0) pieces.push({ lines });
  return pieces;
}

function damaged(file: string, line: string): PosternError {
  return new PosternError(
    'bad_request',
    `${file}: "${line.slice(0, 80)}" has no counterpart: take both lines and what is between them out by hand`,
  );
}

/**
 * The file's text with the profile in it; the same profile of the same owner is replaced. One that is the person's, or hangs on another login, is
 * left and refused: a program that names it would go to another cluster, or nowhere.
 */
export function withProfile(text: string, profile: EndpointProfile, file: string, isSignedIn: IsSignedIn = () => true): string {
  const pieces = piecesOf(text, file);
  if (pieces.some(({ ours, lines }) => ours === undefined && lines.some((line) => sectionOf(line) === profile.profile)))
    throw new PosternError('already_exists', `${file} has a profile "${profile.profile}" of your own: choose another name with --profile`);
  const block: Piece = { lines: blockOf(profile), ours: profile };
  const at = pieces.findIndex(({ ours }) => ours?.profile === profile.profile);
  const other = pieces[at]?.ours;
  // Who has logged out of a login in this folder has nothing to lose, and nobody could do it for him.
  const isLeft = other?.home === profile.home && !isSignedIn(other);
  if (other !== undefined && !isOwnedBy(other, profile) && !isLeft) throw taken(file, other);
  if (at >= 0) pieces[at] = block;
  else pieces.push(...(needsGap(pieces) ? [{ lines: [''] }] : []), block);
  return textOf(pieces);
}

function isOwnedBy(ours: Ours, { proxy, user, home }: ProfileOwner): boolean {
  return ours.proxy === proxy && ours.user === user && ours.home === home;
}

function taken(file: string, { profile, app, user, proxy, home }: Ours): PosternError {
  return new PosternError(
    'already_exists',
    `${file} has a profile "${profile}" for application "${app}" of ${user} at ${proxy} (login in ${home}): choose another name with --profile, or log out of that one first`,
  );
}

function sectionOf(line: string): string | undefined {
  return /^\s*\[\s*profile\s+["']?(.+?)["']?\s*\]/.exec(line)?.[1];
}

function needsGap(pieces: readonly Piece[]): boolean {
  const last = pieces.at(-1);
  return last !== undefined && last.ours === undefined && last.lines.at(-1) !== '';
}

/** Of which applications an owner has profiles. */
export function appsIn(text: string, owner: ProfileOwner, file: string): readonly string[] {
  const apps = piecesOf(text, file).flatMap(({ ours }) => (ours !== undefined && isOwnedBy(ours, owner) ? [ours.app] : []));
  return [...new Set(apps)];
}

export function regionIn(text: string, profile: string, file: string): string | undefined {
  const lines = piecesOf(text, file).find(({ ours }) => ours?.profile === profile)?.lines ?? [];
  return lines.flatMap((line) => /^region = (.+)$/.exec(line)?.[1] ?? [])[0];
}

/** Without the profiles of one application. */
export function withoutProfiles(text: string, of: ProfileOwner & { readonly app: string }, file: string): string {
  return textOf(piecesOf(text, file).filter(({ ours }) => ours === undefined || ours.app !== of.app || !isOwnedBy(ours, of)));
}

/** With another port in every profile that hangs on a login in this folder: each folder has a tsh up of its own. */
export function withPort(text: string, { port, home }: { readonly port: number; readonly home: string }, file: string): string {
  const moved = piecesOf(text, file).map((piece) =>
    piece.ours?.home !== home
      ? piece
      : { ...piece, lines: piece.lines.map((line) => line.replace(/^(endpoint_url = ).*/, `$1${endpointUrl(port)}`)) },
  );
  return textOf(moved);
}

export function endpointUrl(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html; a bucket in front of a loopback address would be no host name. */
function blockOf({ profile, proxy, user, home, app, region, port, credentialProcess }: EndpointProfile): readonly string[] {
  const owner = Object.entries({ profile, proxy, user, home, app })
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join(' ');
  return [
    `${BEGIN} ${owner} (written by tsh aws configure, taken out by tsh apps logout)`,
    `[profile ${profile}]`,
    `region = ${region}`,
    `endpoint_url = ${endpointUrl(port)}`,
    `credential_process = ${credentialProcess}`,
    's3 =',
    '    addressing_style = path',
    END,
  ];
}

function textOf(pieces: readonly Piece[]): string {
  const lines = pieces.flatMap((piece) => piece.lines);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
