import { CredentialError } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import type { HttpAnswer } from '#credentials/http-send.ts';

export type AssumedRole = { readonly roleArn: string; readonly sessionName: string; readonly nowMs: number };

/** We ask for 15 minutes at least, so less than one is not an answer to what was asked, or a clock is wrong. */
const minLifeMs = 60_000;

/**
 * The credentials in an answer to AssumeRole, or CredentialError 'invalid' where they are malformed, already expired or about to, or of
 * another account, role or session than was asked for: such an answer must not be used and must not be kept.
 */
export function readAssumeRoleAnswer(answer: HttpAnswer, asked: AssumedRole): Credentials {
  const xml = answer.body.toString('utf8');
  const invalid = (what: string): CredentialError => new CredentialError('invalid', `STS answered for role ${asked.roleArn} with ${what}`);
  const accessKeyId = element(xml, 'AccessKeyId');
  const secretAccessKey = element(xml, 'SecretAccessKey');
  const sessionToken = element(xml, 'SessionToken');
  const expiresAtMs = Date.parse(element(xml, 'Expiration') ?? '');
  const sessionArn = element(xml, 'Arn') ?? '';
  if (!/<AssumeRoleResponse[\s>]/.test(xml) || !/^\w{16,128}$/.test(accessKeyId ?? '') || Number.isNaN(expiresAtMs)) {
    throw invalid('something that is not a set of credentials');
  }
  // both travel in headers or feed a key: nothing but visible ASCII
  if (accessKeyId === undefined || !isVisible(secretAccessKey) || !isVisible(sessionToken)) throw invalid('malformed credentials');
  if (expiresAtMs < asked.nowMs + minLifeMs) throw invalid('credentials that have expired or are about to; check the clock of the agent');
  const accountId = accountOf(asked.roleArn);
  if (!isSessionOf(sessionArn, asked)) throw invalid('credentials of another account, role or session');
  return Object.freeze({ accessKeyId, secretAccessKey, sessionToken, expiresAtMs, accountId });
}

function isVisible(text: string | undefined): text is string {
  return text !== undefined && text.length <= 16_384 && /^[\x21-\x7e]+$/.test(text);
}

function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/** arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION, NAME without the role's path. */
function isSessionOf(sessionArn: string, asked: AssumedRole): boolean {
  const [, partition, , , account, resource = ''] = asked.roleArn.split(':');
  const name = resource.slice(resource.lastIndexOf('/') + 1);
  return sessionArn.toLowerCase() === `arn:${partition}:sts::${account}:assumed-role/${name}/${asked.sessionName}`.toLowerCase();
}

/** STS's answers are small and flat, and nothing within repeats: an element that is there twice is not an answer of STS. */
export function element(xml: string, name: string): string | undefined {
  const [match, another] = xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'));
  const text = another === undefined ? match?.[1]?.trim() : undefined;
  return text?.replaceAll(/&(lt|gt|quot|apos|amp|#x?[0-9a-fA-F]{1,6});/g, (_, entity: string) => decodeEntity(entity));
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function decodeEntity(entity: string): string {
  const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number.parseInt(entity.slice(1), 10);
  return entities[entity] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : '');
}
