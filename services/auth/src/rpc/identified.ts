import { type CallContext, type IdentifiedCaller, PosternError } from '@postern/api';

/** The rules table lets nobody without a certificate reach these handlers; this says so to the compiler, and refuses if it were not so. */
export function identified(context: CallContext): IdentifiedCaller {
  if (context.caller.kind !== 'identified') throw new PosternError('unauthenticated', 'a certificate is needed: sign in with tsh login');
  return context.caller;
}
