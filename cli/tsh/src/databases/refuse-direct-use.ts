import { PosternError } from '@postern/api/errors';

/** DynamoDB speaks HTTP that has to be signed: there is no client to start and no address to hand out. */
export function refuseDirectUse(options: {
  readonly command: string;
  readonly name: string | undefined;
  readonly dbUser: string | undefined;
}): never {
  throw new PosternError('bad_request', `${options.command} is not supported when: database protocol is DynamoDB\n${useTunnel(options)}`);
}

export function useTunnel(options: { readonly name: string | undefined; readonly dbUser: string | undefined }): string {
  return `use this command instead:\n\n  tsh proxy db --tunnel --db-user=${options.dbUser ?? '<role>'} ${options.name ?? '<name>'}\n`;
}
