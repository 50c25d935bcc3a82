import { Identity_Kind } from '@postern/api';

/**
 * What hosts may watch: what their work needs and no more. People go by the rules of their roles instead. A kind that
 * is not here is refused.
 */
const visible: Partial<Readonly<Record<Identity_Kind, readonly string[]>>> = {
  [Identity_Kind.DB_AGENT]: ['role', 'lock', 'ended_session', 'db', 'user', 'cert_authority', 'proxy'],
  [Identity_Kind.APP_AGENT]: ['role', 'lock', 'ended_session', 'app', 'user', 'cert_authority', 'proxy'],
  // A proxy routes: who the users are and what their roles say is not for one that was stolen to read.
  [Identity_Kind.PROXY]: ['lock', 'cert_authority', 'proxy', 'db_server', 'app_server'],
};

export function mayHostWatch(identityKind: Identity_Kind, resourceKind: string): boolean {
  return visible[identityKind]?.includes(resourceKind) ?? false;
}
