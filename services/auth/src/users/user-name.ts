import { PosternError } from '@postern/api';

const MAX_NAME_LENGTH = 128;
/** Letters, digits and what e-mail addresses hold: no white space, no "/", nothing that a shell or a log reads otherwise. */
const NAME = /^[\p{Ll}\p{Lo}\p{N}][\p{Ll}\p{Lo}\p{N}\p{M}._+@-]*$/u;

/** Every spelling that a person might type for one account, as one name: `Alice`, `alice ` and full-width `ａlice` are alice. */
export function canonicalUserName(typed: string): string {
  return typed.normalize('NFKC').trim().toLowerCase().normalize('NFKC');
}

/** For new accounts: refuses a spelling that is not the canonical one, so that what is written down is what counts. */
export function requireUserName(name: string): string {
  const canonical = canonicalUserName(name);
  if (name !== canonical)
    throw new PosternError('bad_request', `user name ${JSON.stringify(name)}: write it as ${JSON.stringify(canonical)}`);
  if (name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new PosternError(
      'bad_request',
      `user name ${JSON.stringify(name.slice(0, 64))}: letters, digits and . _ + @ - only, at most ${MAX_NAME_LENGTH}`,
    );
  }
  return name;
}
