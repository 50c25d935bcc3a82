export { ConfigError, type Problem } from '#config-error.ts';
export { DEFAULT_DATA_DIR, readTeleportConfig } from '#read-teleport-config.ts';
export type {
  AppSection,
  AuthSection,
  DbSection,
  HostPort,
  LogConfig,
  ProxySection,
  ResourceMatcher,
  StaticApp,
  StaticDatabase,
  StaticToken,
  StorageConfig,
  TeleportConfig,
} from '#teleport-config.ts';
