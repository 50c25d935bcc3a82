import type { Server } from '@postern/api';
import type { Labels } from '@postern/rbac';
import { accountLabel, appFromResource, appUri, dynamoDbUri, validateApp } from '@postern/resources';
import type { Store } from '@postern/store';
import type { HostRecord } from '#hosts/host-record.ts';
import { labelProblem } from '#presence/labels.ts';
import { type ServerSettings, settingsOf } from '#presence/server-resource.ts';
import { readResource } from '#resources/stored-resource.ts';
import { keys, segment } from '#state/keys.ts';

export type Judgement =
  | { readonly ok: true; readonly settings: ServerSettings }
  | { readonly ok: false; readonly settings: ServerSettings; readonly reason: string };

const MAX_SETTING_LENGTH = 1024;

/** Decides what one announced server is, from the record of the host's join and from the cluster's own resources. */
export async function judgeServer(store: Store, host: HostRecord, server: Server): Promise<Judgement> {
  const tooLong = [server.protocol, server.uri, server.description, server.awsRegion, server.awsAccountId, server.publicAddress ?? ''].some(
    (text) => text.length > MAX_SETTING_LENGTH,
  );
  // What is refused is kept on show: an agent must not fill the store, and every watcher, with what nobody takes.
  const shown = tooLong
    ? { ...server, protocol: '', uri: '', description: '', awsRegion: '', awsAccountId: '', publicAddress: '' }
    : server;
  const claimed = settingsOf(shown, {});
  const refuse = (reason: string): Judgement => ({ ok: false, settings: claimed, reason });
  if (server.kind !== host.role || (server.kind !== 'db' && server.kind !== 'app')) {
    return refuse(`an agent that joined as ${host.role} cannot serve a resource of kind ${JSON.stringify(server.kind.slice(0, 32))}`);
  }
  if (!isResourceName(server.name)) return refuse('the name is not one that a resource can have');
  if (tooLong) return refuse(`a setting is longer than ${MAX_SETTING_LENGTH} characters`);
  // Nobody dials what stands here; but administrators and users read it, and files and resources are held to the same.
  const address = server.kind === 'db' && server.uri !== '' ? dynamoDbUri(server.uri) : undefined;
  if (address !== undefined && 'refusal' in address) return refuse(`uri ${JSON.stringify(server.uri.slice(0, 80))} ${address.refusal}`);
  return server.dynamic ? judgeDynamic(store, server, claimed) : judgeStatic(host, server, claimed);
}

/** Everything comes from the cluster's resource; the agent only says that it serves it. */
async function judgeDynamic(store: Store, server: Server, claimed: ServerSettings): Promise<Judgement> {
  const entry = await store.get(keys.resource(claimed.kind, server.name));
  if (entry === undefined)
    return { ok: false, settings: claimed, reason: `the cluster has no ${server.kind} resource named ${server.name}` };
  const { metadata, spec } = readResource(entry);
  const labels = metadata.labels ?? {};
  const description = metadata.description ?? '';
  if (claimed.kind === 'app') {
    const app = appFromResource({ metadata, spec });
    const publicAddress = app.publicAddress ?? '';
    return {
      ok: true,
      settings: { ...claimed, uri: appUri(app), description, labels, awsAccountId: labels[accountLabel] ?? '', publicAddress },
    };
  }
  const { protocol, uri, aws } = spec as { protocol?: string; uri?: string; aws?: { region?: string; account_id?: string } };
  return {
    ok: true,
    settings: {
      ...claimed,
      protocol: protocol ?? '',
      uri: uri ?? server.uri,
      description,
      labels,
      awsRegion: aws?.region ?? server.awsRegion,
      awsAccountId: aws?.account_id ?? server.awsAccountId,
    },
  };
}

/** What an agent says of an application is held to the rule for files and resources. */
function appProblem(server: Server): string | undefined {
  const { name, uri, labels, publicAddress = '' } = server;
  const [problem] = validateApp({ name, uri, labels, ...(publicAddress === '' ? {} : { publicAddress }) });
  return problem && `${problem.path.at(-1) ?? ''} ${problem.message}`;
}

/** The name must be bound to the token that the agent joined with; the token's labels win over the agent's own. */
function judgeStatic(host: HostRecord, server: Server, claimed: ServerSettings): Judgement {
  const problem = labelProblem(server.labels);
  if (problem !== undefined) return { ok: false, settings: claimed, reason: problem };
  const labels: Labels = { ...server.labels, ...host.boundLabels };
  const problemOfApp = server.kind === 'app' ? appProblem({ ...server, labels: { ...labels } }) : undefined;
  if (problemOfApp !== undefined) return { ok: false, settings: claimed, reason: problemOfApp };
  const settings = settingsOf(server, labels);
  const bound = host.boundNames.find(({ kind, name }) => kind === server.kind && name === server.name);
  if (bound === undefined && host.bindsAnyName !== true) {
    const flag = server.kind === 'db' ? '--db-name' : '--app-name';
    const others = host.boundNames.map(({ name }) => name).join(', ');
    const binds = others === '' ? 'binds no name' : `binds ${others}`;
    return {
      ok: false,
      settings,
      reason: `${server.name} is not a name that this agent may serve: its join token (${host.tokenId}) ${binds}; join it again with a token made by tctl tokens add --type=${server.kind} ${flag}=${server.name}`,
    };
  }
  if (bound?.protocol !== undefined && bound.protocol !== server.protocol) {
    return {
      ok: false,
      settings,
      reason: `the join token binds ${server.name} to protocol ${bound.protocol}, and the agent announces ${server.protocol}`,
    };
  }
  if (bound?.uri !== undefined && bound.uri !== server.uri) {
    return { ok: false, settings, reason: `the join token binds ${server.name} to another uri than the agent announces` };
  }
  return { ok: true, settings };
}

export function isResourceName(name: string): boolean {
  try {
    return segment(name) === name && name.length <= 255;
  } catch {
    return false;
  }
}
