import type { AuditService, Handlers, QueryEventsRequest } from '@postern/api';
import { type PersonDeps, personOf, requireMay } from '#administration/person.ts';
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
      return deps.log.verify();
    },
  };
}

async function requireReader(deps: PersonDeps, context: Parameters<typeof identified>[0]): Promise<void> {
  const person = await personOf(deps, identified(context));
  requireMay(person, 'event', 'list');
  requireMay(person, 'event', 'read');
}

function filterOf({ fromMs, toMs, user, kind, resource }: QueryEventsRequest) {
  return { fromMs, toMs, user, kind, resource };
}
