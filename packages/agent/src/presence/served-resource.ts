/** A resource that this agent would serve, from its file or from the cluster. */
export interface ServedResource {
  readonly kind: 'db' | 'app';
  readonly name: string;
  readonly protocol: string;
  readonly uri: string;
  readonly description: string;
  /** The agent's own; what counts in decisions is auth's answer to the announcement. */
  readonly labels: Readonly<Record<string, string>>;
  readonly awsRegion: string;
  readonly awsAccountId: string;
  /** Of an application: the host name under which browsers reach it, where one was written. */
  readonly publicAddress?: string;
  /** True where it is a resource of the cluster. */
  readonly dynamic: boolean;
}
