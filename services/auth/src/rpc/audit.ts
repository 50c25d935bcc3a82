import type { AuditService, Handlers, QueryEventsRequest, VerifyLogProgress } from '@postern/api';
import { type PersonDeps, personOf, requireMay } from '#administration/person.ts';
import type { AuditLog, VerifyProgress } from '#audit/audit-log.ts';
import { acceptReports, type ReportDeps } from '#reports/accept-reports.ts';
import { identified } from '#rpc/identified.ts';
import { guardsOf } from '#watch/watch-resources.ts';
import { mergeStreams } from '#watch/merge-streams.ts';

export function auditHandlers(deps: PersonDeps & ReportDeps): Handlers<typeof AuditService> {
  return {
    appendEvents: async (request, context) => {
      const { identity } = identified(context);
      return acceptReports(deps, { hostId: identity.name, identityKind: identity.kind, events: request.events });
    },
    queryEvents: async function* (request, context) {
      await requireReader(deps, context);
      const { limit, oldestFirst } = request;
      for await (const line of deps.log.query({ ...filterOf(request), limit, oldestFirst })) {
        if (context.signal.aborted) return;
        yield { json: Buffer.from(line) };
      }
    },
    tailEvents: async function* (request, context) {
      await requireReader(deps, context);
      const guards = guardsOf(deps, { recheck: () => requireReader(deps, context), guardedPrefixes: ['locks/', 'users/', 'roles/'] });
      const tail = (signal: AbortSignal) => deps.log.tail(filterOf(request), signal);
      for await (const line of mergeStreams<string>([tail, ...guards], context.signal)) yield { json: Buffer.from(line) };
    },
    verifyLog: async (_request, context) => {
      await requireReader(deps, context);
      return deps.log.verify({ signal: context.signal });
    },
    watchVerification: async function* (_request, context) {
      await requireReader(deps, context);
      yield* verification(deps.log, context.signal);
    },
  };
}

async function requireReader(deps: PersonDeps, context: Parameters<typeof identified>[0]): Promise<void> {
  const person = await personOf(deps, identified(context));
  requireMay(person, 'event', 'list');
  requireMay(person, 'event', 'read');
}

/** The newest progress that the caller has not taken yet, then the result. */
async function* verification(log: AuditLog, signal: AbortSignal): AsyncGenerator<VerifyLogProgress> {
  let newest: VerifyProgress | undefined;
  let wake = Promise.withResolvers<void>();
  const verified = log.verify({
    signal,
    onProgress: (progress) => {
      newest = progress;
      wake.resolve();
    },
  });
  const settled = verified.then(
    () => true,
    () => true,
  );
  for (;;) {
    const done = await Promise.race([settled, wake.promise]);
    if (done === true) break;
    wake = Promise.withResolvers<void>();
    if (newest !== undefined) yield { ...newest, result: undefined };
  }
  const result = await verified;
  yield { records: result.records, ofRecords: result.records, result };
}

function filterOf({ fromMs, toMs, user, kind, resource, sessionId }: QueryEventsRequest) {
  return { fromMs, toMs, user, kind, resource, sessionId };
}
