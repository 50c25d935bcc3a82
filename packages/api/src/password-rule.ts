import { PosternError } from '#errors.ts';

const MIN_LENGTH = 12;
const MAX_LENGTH = 128;

/** Length in characters; NFKC, so that one password typed on two keyboards is one password. */
export function requirePassword(password: string): string {
  const normal = normalPassword(password);
  const length = Array.from(normal).length;
  if (length < MIN_LENGTH || length > MAX_LENGTH) {
    throw new PosternError('bad_request', `a password has ${MIN_LENGTH} to ${MAX_LENGTH} characters, this one has ${length}`);
  }
  return normal;
}

export function normalPassword(password: string): string {
  return password.normalize('NFKC');
}
