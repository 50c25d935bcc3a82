import type { CredentialBook } from '#credential-book.ts';
import type { Service } from '#exchange/service.ts';
import type { EmulatedRole } from '#options.ts';
import { actionOf, queryParameters } from '#protocols/query.ts';
import { answerSts, stsNamespace } from '#sts/answer-sts.ts';

/** Parameters that are as good as credentials. */
const secrets: readonly string[] = ['WebIdentityToken', 'SAMLAssertion', 'TokenCode'];

export interface StsParts {
  readonly roles: ReadonlyMap<string, EmulatedRole>;
  readonly book: CredentialBook;
  readonly accountId: string;
}

export function stsService({ roles, book, accountId }: StsParts): Service {
  return {
    protocol: () => ({ kind: 'query', namespace: stsNamespace }),
    operationOf: (head, _, body) => actionOf(head, body),
    anonymous: (operation) => operation === 'AssumeRoleWithWebIdentity' || operation === 'AssumeRoleWithSAML',
    answer: ({ head, body, caller, nowMs, mode, requestId }) => {
      const creds = mode?.creds;
      const context = { caller, roles, book, accountId, nowMs, ...(creds === undefined ? {} : { creds }) };
      return answerSts(queryParameters(head, body), context, requestId);
    },
    logged: ({ head, body }) => {
      const shown = [...queryParameters(head, body)].map(([name, value]) => [name, secrets.includes(name) ? '-' : value] as const);
      return { parameters: Object.fromEntries(shown) };
    },
  };
}
