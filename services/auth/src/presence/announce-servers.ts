import { PosternError, type Server } from '@postern/api';
import type { Labels } from '@postern/rbac';
import type { Operation, Store } from '@postern/store';
import { requireHost } from '#hosts/host-record.ts';
import { requireHostWords } from '#hosts/host-words.ts';
import { requireUnlocked } from '#locks/locks.ts';
import { addressConflict } from '#presence/app-address.ts';
import { claimName, releaseName } from '#presence/claim-name.ts';
import { isResourceName, type Judgement, judgeServer } from '#presence/judge-server.ts';
import { findServers, isRefused } from '#presence/served-resource.ts';
import { type ServerSettings, serverResource } from '#presence/server-resource.ts';
import { readResource, type ResourceJson } from '#resources/stored-resource.ts';
import { isStillSaid } from '#presence/still-said.ts';
import { keys } from '#state/keys.ts';
import type { Trail } from '#trail/act.ts';

export const ANNOUNCED_FOR_MS = 10 * 60_000;
/** For so long what is repeated is not written again; an agent that falls silent is listed for six to ten minutes more. */
const REPEATED_FOR_MS = 4 * 60_000;
/** Each may be one write and one deletion in a batch, and a batch of the store holds a thousand. */
const MAX_SERVERS = 400;

export interface PresenceDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly nowMs: () => number;
}
export interface Announcement {
  readonly hostId: string;
  readonly servers: readonly Server[];
  readonly nodeName: string;
  readonly version: string;
}
export interface AnnouncementResult {
  readonly refusals: readonly { readonly name: string; readonly reason: string }[];
  readonly effectiveLabels: Readonly<Record<string, Labels>>;
}

interface Judged {
  readonly settings: ServerSettings;
  readonly refused?: string;
}

/** Replaces everything that this host announced before; an empty announcement is its goodbye. */
export async function announceServers(deps: PresenceDeps, said: Announcement): Promise<AnnouncementResult> {
  if (said.servers.length > MAX_SERVERS) throw new PosternError('limit_exceeded', `an agent announces at most ${MAX_SERVERS} resources`);
  requireHostWords(said);
  const host = await requireHost(deps.store, said.hostId);
  await requireUnlocked(deps, { hostId: host.id, tokenId: host.tokenId });
  const kind = host.role === 'app' ? 'app' : 'db';
  const expiresMs = deps.nowMs() + ANNOUNCED_FOR_MS;
  const judgements = new Map<string, Judgement>();
  for (const server of said.servers) judgements.set(server.name, await judgeServer(deps.store, host, server));
  const admitted = [...judgements.values()].flatMap(({ ok, settings }) => (ok ? [settings] : []));
  const { nodeName, version } = said;
  if (
    admitted.length === judgements.size &&
    (await isStillSaid(deps.store, { host, settings: admitted, nodeName, version }, expiresMs - REPEATED_FOR_MS))
  )
    return answerOf(new Map(admitted.map((settings) => [settings.name, { settings }])));
  const judged = new Map<string, Judged>();
  for (const [name, judgement] of judgements) {
    const { settings } = judgement;
    const reason = judgement.ok
      ? ((await addressConflict(deps.store, settings)) ?? (await claimName(deps.store, { host, settings, expiresMs })))
      : judgement.reason;
    judged.set(name, reason === undefined ? { settings } : { settings, refused: reason });
  }
  const namesBefore = await announcedNames(deps.store, host.id);
  const before = await readServers(deps.store, { kind, hostId: host.id, names: [...namesBefore] });
  await recordChanges(deps.trail, { hostId: host.id, before, judged });
  const operations: Operation[] = [];
  for (const [name, { settings, refused }] of judged) {
    // A name that no resource can have is told to the agent alone.
    if (!isResourceName(name)) continue;
    const value = serverResource({
      settings,
      host,
      nodeName: said.nodeName,
      version: said.version,
      expiresMs,
      ...(refused === undefined ? {} : { refused }),
    });
    operations.push({ kind: 'put', key: keys.server(kind, name, host.id), value: JSON.stringify(value), expiresMs });
  }
  const gone = [...before.keys()].filter((name) => !judged.has(name));
  for (const name of gone) operations.push({ kind: 'delete', key: keys.server(kind, name, host.id) });
  const announced = keys.announced(host.id);
  const names = [...judged.keys()].filter(isResourceName);
  if (names.length > 0) operations.push({ kind: 'put', key: announced, value: JSON.stringify(names), expiresMs });
  else if (namesBefore.size > 0) operations.push({ kind: 'delete', key: announced });
  if (operations.length > 0) await deps.store.atomically(operations);
  for (const name of gone) if ((await findServers(deps.store, kind, name)).length === 0) await releaseName(deps.store, kind, name);
  return answerOf(judged);
}

function answerOf(judged: ReadonlyMap<string, Judged>): AnnouncementResult {
  const refusals: { name: string; reason: string }[] = [];
  const effectiveLabels: Record<string, Labels> = {};
  for (const [name, { settings, refused }] of judged) {
    if (refused === undefined) effectiveLabels[name] = settings.labels;
    else refusals.push({ name, reason: refused });
  }
  return { refusals, effectiveLabels };
}

async function announcedNames(store: Store, hostId: string): Promise<ReadonlySet<string>> {
  const entry = await store.get(keys.announced(hostId));
  return new Set(entry === undefined ? [] : (JSON.parse(entry.value) as string[]));
}

async function readServers(
  store: Store,
  of: { readonly kind: 'db' | 'app'; readonly hostId: string; readonly names: readonly string[] },
): Promise<ReadonlyMap<string, ResourceJson>> {
  const found = new Map<string, ResourceJson>();
  for (const name of of.names) {
    const entry = await store.get(keys.server(of.kind, name, of.hostId));
    if (entry !== undefined) found.set(name, readResource(entry));
  }
  return found;
}

/** Only what changed is recorded: an agent says the same thing every minute. */
async function recordChanges(
  trail: Trail,
  change: { readonly hostId: string; readonly before: ReadonlyMap<string, ResourceJson>; readonly judged: ReadonlyMap<string, Judged> },
): Promise<void> {
  for (const [name, { settings, refused }] of change.judged) {
    const old = change.before.get(name);
    const resource = `${settings.kind}/${name}`;
    if (refused !== undefined) {
      const wasRefused = old !== undefined && isRefused(old);
      if (!wasRefused) {
        await trail.record({
          kind: `${settings.kind}_server.refused`,
          code: 'TPS01E',
          success: false,
          user: change.hostId,
          resource,
          fields: { name, error: refused },
        });
      }
      continue;
    }
    const oldLabels = old === undefined ? undefined : (old.metadata.labels ?? {});
    if (oldLabels !== undefined && sameLabels(oldLabels, settings.labels)) continue;
    await trail.record({
      kind: `${settings.kind}_server.announced`,
      code: oldLabels === undefined ? 'TPS01I' : 'TPS02I',
      user: change.hostId,
      resource,
      fields: {
        name,
        [`${settings.kind}_labels`]: settings.labels,
        ...(oldLabels === undefined ? {} : { [`${settings.kind}_labels_before`]: oldLabels }),
      },
    });
  }
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
