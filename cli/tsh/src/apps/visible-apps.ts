import type { SignedIn } from '@postern/profile/signed-in';
import { listServers } from '#sessions/list-servers.ts';

/** An application that the user may see, with what his roles grant on it. */
export interface VisibleApp {
  readonly name: string;
  readonly description: string;
  readonly uri: string;
  readonly publicAddr: string;
  readonly labels: Readonly<Record<string, string>>;
  /** IAM roles as the user's roles write them: ARNs. */
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
  /** As auth sent it, for -f json and yaml. */
  readonly json: object;
}

interface SentApp {
  readonly metadata?: { readonly name?: string; readonly description?: string; readonly labels?: Record<string, string> };
  readonly spec?: { readonly uri?: string; readonly public_addr?: string; readonly app?: SentApp };
  readonly users?: { readonly allowed?: readonly string[]; readonly denied?: readonly string[] };
}

/** Several agents may serve one application: it is listed once. */
export async function visibleApps(who: SignedIn): Promise<readonly VisibleApp[]> {
  const byName = new Map<string, VisibleApp>();
  for (const sent of await listServers(who, 'app_server')) {
    const app = readApp(sent, who.profile.proxy);
    byName.set(app.name, app);
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function readApp(sent: SentApp, proxy: string): VisibleApp {
  const app = sent.spec?.app ?? sent;
  const users = sent.users ?? app.users;
  const principals = { allowed: users?.allowed ?? [], denied: users?.denied ?? [] };
  const name = app.metadata?.name ?? '';
  return {
    name,
    description: app.metadata?.description ?? '',
    uri: app.spec?.uri ?? '',
    publicAddr: app.spec?.public_addr ?? `${name}.${proxy}`,
    labels: app.metadata?.labels ?? {},
    ...principals,
    json: { ...app, users: principals },
  };
}
