import { askForDbUser } from '#databases/ask-for-db-user.ts';
import { grantToJson, issueGrant } from '#sessions/session-grant.ts';
import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';

export interface LoginToDatabaseOptions {
  readonly globals: GlobalOptions;
  readonly name: string;
  readonly dbUser: string | undefined;
}

/** Keeps a certificate for the database, so that `tsh proxy db` needs no --db-user, and no auth, until it expires. */
export async function loginToDatabase({ globals, name, dbUser }: LoginToDatabaseOptions): Promise<void> {
  const who = signedIn(globals, process.env, Date.now());
  const role = dbUser ?? (await askForDbUser(who, name));
  const grant = await issueGrant(who, { kind: 'db', name, principal: role });
  who.store.kept(who.profile, 'db').save(name, grantToJson(grant));
  const until = new Date(grant.validUntilMs).toISOString();
  process.stdout.write(`Logged in to database "${name}" as ${role} until ${until}.\nConnect with:\n\n  tsh proxy db --tunnel ${name}\n`);
}
