// teleport.yaml, strictly: unknown fields refused with file:line:col and a suggestion, v1–v3 forms of the guides. The whole surface:
//   readTeleportConfig({file} | {text, file}): TeleportConfig           (throws ConfigError)
//   TeleportConfig { version, nodename, dataDir, log, proxyServer?, authServer?, authToken?/joinParams {tokenName, method}, caPins[],
//                    diagAddress?, auth?: AuthSection, proxy?: ProxySection, db?: DbSection, app?: AppSection, ssh: ignored unless enabled (then refused) }
//   AuthSection { enabled, clusterName, listenAddress, storage: {type:'sqlite', path?} | {type:'redis', url}, tokens: static tokens ["proxy,db:VALUE or /path"],
//                 authentication: { type: 'local', secondFactor: 'off' }   (any other value, or none, is refused at start) , sessionTtl? }
//   ProxySection { enabled, webListenAddress, publicAddress[], httpsKeypairs[{keyFile, certFile}] , ownAddress? }
//   DbSection { enabled, resources: [{labels, aws?}], databases: [{name, description?, protocol, uri?, staticLabels, aws:{region, accountId, assumeRoleArn?, externalId?, sessionTags?}}] }
//   `enabled` takes yes/no/true/false and the strings; auth_service, proxy_service and ssh_service are OFF unless written, and the README says so.
export {};
