import type { Client } from '@grpc/grpc-js';

/** As packages/membership gives it: this proxy's place in the cluster. */
export interface Member {
  readonly hostId: string;
  readonly cluster: string;
  current(): {
    readonly certificatePem: string;
    readonly privateKeyPem: string;
    readonly hostCaPems: readonly string[];
    readonly userCaPems: readonly string[];
  };
  onRenewed(listener: () => void): void;
  stop(): void | Promise<void>;
}

/** The resources that this proxy watches: db_server, app_server, lock, proxy. */
export interface WatchedResources {
  list(kind: string): readonly unknown[];
  onChange(listener: () => void): void;
  /** Whether auth has told its state, and has not been silent for too long since. */
  heardAuth(): boolean;
  stop(): void | Promise<void>;
}

export interface Cluster {
  readonly member: Member;
  readonly resources: WatchedResources;
  /** A channel to auth with the certificate of this moment; whoever asks closes it. */
  openAuth(): Client;
}
