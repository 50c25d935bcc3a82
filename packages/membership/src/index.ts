// How a program reaches the cluster, and how a host becomes and stays a member. The whole surface:
//   findCluster({proxy: 'host:port', caPins?, insecure?}): Promise<Found>    GET /v1/webapi/find: cluster, server_version, host_ca_pems verified against
//        the pin where one is given (then web TLS need not be), else over verified web TLS; a pin that matches nothing stops here
//   openAuthChannel({address, via: 'proxy' | 'direct', hostCaPems, cluster, client?: {certificatePem, privateKeyPem}}): grpc Client
//        TLS with server name auth.postern.internal, peer checked to be kind AUTH of this cluster; 8 MiB windows; keepalive 15 s
//   joinCluster({proxy | authServer, token, caPins, role, nodeName, version, insecure?}): Promise<HostMember>
//   loadMember(dataDir, role) / saveMember: 0600, atomic rename, fsync; garbage is a clear error
//   HostMember: { hostId, cluster, current(): {certificatePem, privateKeyPem, hostCaPems, userCaPems, notAfterMs}, onRenewed(listener), stop() }
//        renews at two thirds of its life through Certs.RenewHostCert, keeps trying with full-jitter backoff
//   ResourceCache: fed by Resources.WatchResources({kinds}); get/list by kind, onChange, syncedAtMs, lastHeardMs (stale view), reconnects with backoff
//   readTokenValue(tokenNameOrAbsolutePath): string     a path is read and trimmed; unreadable is an error that names it
export {};
