interface SentServer {
  readonly spec?: { readonly app?: SentResource; readonly database?: SentResource };
}
interface SentResource {
  readonly status?: { readonly refused?: string };
}

/**
 * Why auth refused what an agent announced, of a db_server or app_server as auth lists it; undefined where it is served. Auth shows refused
 * ones to whoever may read all servers: lists of what can be reached leave them out, lists of agents say why.
 */
export function serverRefusal(server: object): string | undefined {
  const { spec } = server as SentServer;
  return (spec?.database ?? spec?.app)?.status?.refused;
}
